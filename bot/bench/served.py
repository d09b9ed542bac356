"""How fast `bot serve` starts and answers: its own process, HTTP, and the bot's client."""

import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.client import Finished, InferenceClient, TextDelta
from bot.client.supervisor import start_service
from bot.inference.engines import EngineError
from bot.listener import address_of, bind

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Served:
    """Seconds from the command until it is ready, and tokens a second after the first ones."""

    start: float
    speed: float


def serve(
    folder: Path, device: str, prompt_tokens: int, answer_tokens: int, weights: str = "int8"
) -> Served:
    """Have `bot serve` start with the model in `folder`, and write greedy answers.

    `folder` has a tokenizer of synthetic.write_tokenizer. The second answer counts: the first warms
    up. Raises EngineError when the service does not start.
    """

    async def measure() -> Served:
        begun = time.perf_counter()
        async with _serving(folder, device, weights) as client:
            start = time.perf_counter() - begun
            await answer_speed(client, prompt_tokens, answer_tokens)
            return Served(start, await answer_speed(client, prompt_tokens, answer_tokens))

    return asyncio.run(measure())


async def answer_speed(client: InferenceClient, prompt_tokens: int, answer_tokens: int) -> float:
    """Tokens a second that come after an answer's first piece.

    A busy service may send several tokens in a piece, even all of them: then a longer answer is
    timed.
    """
    while True:
        pieces, times, tokens = [], [], 0
        words = " ".join(f"word{random.randrange(1000)}" for _ in range(prompt_tokens))
        async for event in client.chat(
            [{"role": "user", "content": words}],
            request_id="bench",
            effort="low",
            max_tokens=answer_tokens,
            user="bench",
            sampling={"temperature": 0.0},
        ):
            match event:
                case TextDelta(text):
                    pieces.append(text)
                    times.append(time.perf_counter())
                case Finished():
                    tokens = event.completion_tokens
        if len(pieces) > 1:
            return (tokens - len(pieces[0].split())) / (times[-1] - times[0])
        answer_tokens *= 2


@asynccontextmanager
async def _serving(folder: Path, device: str, weights: str) -> AsyncIterator[InferenceClient]:
    """A client of a `bot serve` that is ready; it ends when its stdin does."""
    with tempfile.TemporaryDirectory() as place:
        config, output = Path(place) / "bot.yaml", Path(place) / "output"
        config.write_text(
            f"inference: {{model: {folder}, device: '{device}', weights: {weights}}}\n",
            encoding="utf-8",
        )
        command = [sys.executable, "-m", "bot", "serve", "--config", str(config)]
        with bind("127.0.0.1:0", secret="") as listener, output.open("wb") as file:
            url = f"http://{address_of(listener)}"
            process = await start_service(command, listener, os.environ, stdout=file, stderr=file)
        client = InferenceClient(url, "", str(folder))
        try:
            while not (await client.health()).ready:
                if process.returncode is not None:
                    said = output.read_text(encoding="utf-8").splitlines()
                    raise EngineError(f"bot serve ended: {said[-1] if said else 'in silence'}")
                await asyncio.sleep(POLL_SECONDS)
            yield client
        finally:
            await client.close()
            assert process.stdin
            process.stdin.close()
            await process.wait()
