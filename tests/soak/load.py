"""Load: the service with a tiny random model, asked for more than it can do."""

import asyncio
import random
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import psutil
from openai import AsyncOpenAI

from tests.inference.processes import serve, until_health
from tests.inference.tiny_model import save_tiny_model
from tests.soak.drill import Drill, Outcome, Scale

TOKENS = 48
"""Of each answer: greedy, the tiny model never ends its turn before."""


@dataclass
class Service:
    """A running `bot serve` and a client of it."""

    client: AsyncOpenAI
    model: str
    pid: int

    async def ask(self, user: str = "s/u", tokens: int = TOKENS, **options: Any) -> Any:
        return await self.client.chat.completions.create(
            model=self.model,
            messages=[{"role": "user", "content": "Why is the sky blue?"}],
            user=user,
            max_tokens=tokens,
            temperature=0,
            **options,
        )

    async def health(self) -> dict[str, Any]:
        return await until_health(str(self.client.base_url).removesuffix("/v1/"), 200)

    async def idle(self) -> None:
        """Return once nothing runs or waits; it must within 10 s."""
        async with asyncio.timeout(10):
            while (busy := await self.health())["running"] or busy["waiting"]:
                pass

    def memory(self) -> int:
        """Resident bytes."""
        return int(psutil.Process(self.pid).memory_info().rss)


@asynccontextmanager
async def service(folder: Path, **inference: object) -> AsyncIterator[Service]:
    save_tiny_model(folder / "tiny", context=100_000)
    async with serve(folder, folder / "tiny", **inference) as (process, client):
        yield Service(client, str(folder / "tiny"), process.pid)


async def cancels(folder: Path, scale: Scale) -> Outcome:
    dice = random.Random(0)
    async with service(folder, queue_limit=64) as it:
        seconds: list[float] = []

        async def give_up() -> None:
            stream = await it.ask(tokens=10_000, stream=True)
            left = dice.choice([0, 1, 2, 10])
            async for _ in stream:
                left -= 1
                if left < 0:
                    break
            await stream.close()

        await give_up()
        before = it.memory()
        for _ in range(scale.times // 20):
            await asyncio.gather(*(give_up() for _ in range(20)))
        await it.idle()
        growth = it.memory() / before
        for _ in range(20):
            stream = await it.ask(tokens=10_000, stream=True)
            async for _ in stream:
                break
            began = time.perf_counter()
            await stream.close()
            await it.idle()
            seconds.append(time.perf_counter() - began)
        free = statistics.median(seconds)
    happened = f"nothing left; memory x {growth:.2f}; free after {free * 1000:.0f} ms (median)"
    return Outcome(scale.times, happened, growth <= 1.1 and free <= 0.05)


async def overload(folder: Path, scale: Scale) -> Outcome:
    async with service(folder, queue_limit=16) as it:
        await it.ask()
        seconds = min(20.0, scale.minutes * 60)
        began, alone = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            await it.ask()
            alone += 1
        sustainable = alone / (time.monotonic() - began)
        before = it.memory()
        answered = refused = 0

        async def one() -> None:
            nonlocal answered, refused
            try:
                await it.ask()
                answered += 1
            except openai.RateLimitError as error:
                assert int(error.response.headers["retry-after"]) >= 1
                refused += 1

        began = time.monotonic()
        async with asyncio.TaskGroup() as arriving:
            while time.monotonic() - began < scale.minutes * 60:
                arriving.create_task(one())
                await asyncio.sleep(0.1 / sustainable)  # the load itself
        rate = answered / (time.monotonic() - began)
        growth = it.memory() / before
        await it.idle()
    assert answered
    assert refused
    share = rate / sustainable
    happened = (
        f"{answered} answered, {refused} refused with a time;"
        f" {share:.0%} of unloaded throughput; memory x {growth:.2f}"
    )
    return Outcome(answered + refused, happened, share >= 0.95 and growth <= 1.1)


async def waiting_times(folder: Path, scale: Scale) -> Outcome:
    errors: list[float] = []
    async with service(folder) as it:
        for _ in range(3):
            await it.ask(tokens=2000)

        async def wait() -> None:
            promised: float | None = None
            began = time.monotonic()
            async for chunk in await it.ask(tokens=2000, stream=True):
                queue = (chunk.model_extra or {}).get("queue")
                if queue and promised is None:
                    promised = queue["eta_seconds"]
                if not queue:
                    break
            if promised:
                errors.append(abs(time.monotonic() - began - promised) / promised)

        for _ in range(max(1, scale.times // 100)):
            async with asyncio.TaskGroup() as asking:
                for _ in range(11):
                    asking.create_task(wait())
    assert errors
    median = statistics.median(errors)
    return Outcome(len(errors), f"median error {median:.0%}", median < 0.25)


async def fairness(folder: Path, scale: Scale) -> Outcome:
    before: list[int] = []
    async with service(folder) as it:
        for _ in range(max(1, scale.times // 100)):
            ended = 0

            async def long() -> None:
                nonlocal ended
                await it.ask("server/busy", tokens=100)
                ended += 1

            async with asyncio.TaskGroup() as asking:
                for _ in range(50):
                    asking.create_task(long())
                while (await it.health())["waiting"] < 49:
                    pass
                then = ended
                async for chunk in await it.ask("server/other", tokens=4, stream=True):
                    if not (chunk.model_extra or {}).get("queue"):
                        break
                before.append(ended - then)
    assert max(before) <= 2  # the one that ran, and one that began before the request arrived
    happened = f"{max(before)} generations of the other before it, at most"
    return Outcome(len(before), happened)


DRILLS = [
    Drill(
        "answers given up at random moments",
        "nothing runs, waits or stays allocated; the engine is free in 50 ms",
        cancels,
    ),
    Drill(
        "ten times the load that can be served",
        "each ends in an answer or a 429 with a time; 95 % of the throughput, 1.1 times the memory",
        overload,
    ),
    Drill(
        "ten wait, and are told how long",
        "the median error of the promised wait is under 25 %",
        waiting_times,
    ),
    Drill(
        "fifty long questions of one person, a short one of another",
        "the short one waits for one generation",
        fairness,
    ),
]
