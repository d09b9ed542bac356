"""How fast `bot serve` starts and answers: its own process, HTTP, and the bot's client."""

import asyncio
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from bot.client import Finished, InferenceClient, TextDelta
from bot.inference.engines import EngineError

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Served:
    """Seconds from the command until it is ready, and tokens a second after the first one."""

    start: float
    speed: float


def serve(
    folder: Path, device: str, prompt_tokens: int, answer_tokens: int, weights: str = "int8"
) -> Served:
    """Have `bot serve` start with the model in `folder`, and write greedy answers.

    `folder` has a tokenizer of synthetic.write_tokenizer. The second answer counts: the first warms
    up. Raises EngineError when the service does not start.
    """

    async def speeds(url: str) -> list[float]:
        client = InferenceClient(f"{url}/v1", "", str(folder))
        try:
            return [await _answer_speed(client, prompt_tokens, answer_tokens) for _ in range(2)]
        finally:
            await client.close()

    begun = time.perf_counter()
    with _serving(folder, device, weights) as url:
        start = time.perf_counter() - begun
        return Served(start, asyncio.run(speeds(url))[-1])


async def _answer_speed(client: InferenceClient, prompt_tokens: int, answer_tokens: int) -> float:
    words = " ".join(f"word{random.randrange(1000)}" for _ in range(prompt_tokens))
    times, tokens = [], 0
    async for event in client.chat(
        [{"role": "user", "content": words}],
        request_id="bench",
        effort="low",
        max_tokens=answer_tokens,
        user="bench",
        sampling={"temperature": 0.0},
    ):
        match event:
            case TextDelta():
                times.append(time.perf_counter())
            case Finished():
                tokens = event.completion_tokens
    return (tokens - 1) / (times[-1] - times[0])


@contextmanager
def _serving(folder: Path, device: str, weights: str) -> Iterator[str]:
    """The address of a `bot serve` that is ready; it ends when its stdin does."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    with tempfile.TemporaryDirectory() as place:
        config = Path(place) / "bot.yaml"
        config.write_text(
            f"inference: {{model: {folder}, device: '{device}', weights: {weights},"
            f" listen: '{listen}'}}\n",
            encoding="utf-8",
        )
        output = Path(place) / "output"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "bot", "serve", "--config", str(config)],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
                env=os.environ | {"BOT_SUPERVISED": "1"},
            )
        with process:
            try:
                while not _is_ready(f"http://{listen}/health"):
                    if process.poll() is not None:
                        said = output.read_text(encoding="utf-8").splitlines()
                        raise EngineError(f"bot serve ended: {said[-1] if said else 'in silence'}")
                    time.sleep(POLL_SECONDS)
                yield f"http://{listen}"
            finally:
                assert process.stdin
                process.stdin.close()


def _is_ready(url: str) -> bool:
    try:
        with urlopen(url) as response:
            return bool(response.status == 200)
    except (URLError, ConnectionError):  # it loads, or does not listen yet
        return False
