"""How much the replicas behind an address write together, and how soon second turns begin.

    python deploy/measure_replicas.py http://gpu-box:8000 --model openai/gpt-oss-20b --clients 64

The key is INFERENCE_API_KEY's. One client asks first, then all of them at once: each in
conversations of two turns, whose first turn nobody asked before.
"""

import argparse
import asyncio
import os
import random
import time
from dataclasses import dataclass, field
from statistics import median

from bot.client import Finished, InferenceClient, Queued


@dataclass
class Turn:
    """What became of a question, in seconds and tokens."""

    first_token: float
    tokens: int
    cached: bool


@dataclass
class Measured:
    seconds: float = 0.0
    turns: tuple[list[Turn], list[Turn]] = field(default_factory=lambda: ([], []))
    """The first ones of conversations, and the second ones."""

    def __str__(self) -> str:
        first, second = self.turns
        tokens = sum(turn.tokens for turn in first + second)
        cached = sum(turn.cached for turn in second)
        return (
            f"{tokens / self.seconds:.1f} tokens a second in all; first token"
            f" {1000 * median(turn.first_token for turn in first):.0f} ms, in second turns"
            f" {1000 * median(turn.first_token for turn in second):.0f} ms;"
            f" {cached} of {len(second)} second turns found what was cached"
        )


async def measure(
    client: InferenceClient, clients: int, conversations: int, prompt: int, answer: int
) -> Measured:
    """So many clients, each with so many conversations, of so many words and tokens a turn."""
    measured = Measured()

    async def converse() -> None:
        turns = [_words(prompt)]
        for which in range(2):
            asked, first, text = time.perf_counter(), 0.0, ""
            messages = [
                {"role": ("user", "assistant")[at % 2], "content": turn}
                for at, turn in enumerate(turns)
            ]
            async for event in client.chat(
                messages, request_id="measure", effort="low", max_tokens=answer, user="measure"
            ):
                if isinstance(event, Finished):
                    cached = event.cached_tokens > prompt // 2
                    turn = Turn(first - asked, event.completion_tokens, cached)
                    measured.turns[which].append(turn)
                elif not isinstance(event, Queued):
                    first = first or time.perf_counter()
                    text += getattr(event, "text", "")
            turns += [text, _words(prompt // 8)]

    async def one_client() -> None:
        for _ in range(conversations):
            await converse()

    started = time.perf_counter()
    await asyncio.gather(*(one_client() for _ in range(clients)))
    measured.seconds = time.perf_counter() - started
    return measured


def _words(count: int) -> str:
    return " ".join(f"word{random.randrange(1000)}" for _ in range(count))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--model", default="", help="its name there, if there are several")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--conversations", type=int, default=10, help="of each client")
    parser.add_argument("--prompt", type=int, default=512, help="words of a first turn")
    parser.add_argument("--answer", type=int, default=128, help="tokens of an answer")
    options = parser.parse_args()
    client = InferenceClient(options.url, os.environ["INFERENCE_API_KEY"], options.model)
    try:
        for clients in (1, options.clients):
            measured = await measure(
                client, clients, options.conversations, options.prompt, options.answer
            )
            print(f"{clients} clients: {measured}", flush=True)  # noqa: T201
    finally:
        await client.close()


if __name__ == "__main__":
    asyncio.run(main())
