"""Load: more is asked of the service than it can do."""

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.soak.drill import Drill, Outcome, Scale
from tests.soak.service import place, service

ANSWER = 400
"""Tokens of an answer under overload: the tiny model writes about one a second."""
PART_SECONDS = 30.0
"""A stretch of overload, after as long a one without."""


async def cancels(folder: Path, scale: Scale) -> Outcome:
    dice = random.Random(0)
    async with service(folder, queue_limit=64) as it:
        seconds: list[float] = []

        async def give_up(chunks: int) -> None:
            stream = await it.ask(tokens=10_000, stream=True)
            async for _ in stream:
                chunks -= 1
                if chunks < 0:
                    break
            await stream.close()

        await give_up(1)
        before = it.memory()
        for _ in range(scale.times // 20):
            await asyncio.gather(*(give_up(dice.choice([0, 1, 2, 10])) for _ in range(20)))
        await it.until(running=0, waiting=0)
        growth = it.memory() / before
        for _ in range(20):
            stream = await it.ask(tokens=10_000, stream=True)
            async for _ in stream:
                break
            began = time.perf_counter()
            await stream.close()
            await it.until(running=0)
            seconds.append(time.perf_counter() - began)
        free = statistics.median(seconds)
    happened = f"nothing left; memory x {growth:.2f}; free after {free * 1000:.0f} ms (median)"
    return Outcome(scale.times, happened, growth <= 1.1 and free <= 0.05)


async def overload(folder: Path, scale: Scale) -> Outcome:
    async with service(folder, context=4096, queue_limit=4) as it:  # a cache that is full soon
        answered = refused = 0
        messages = [{"role": "user", "content": "Why is the sky blue?"}]
        limits = {"max_tokens": ANSWER, "temperature": 0}
        body = {"model": it.model, "messages": messages} | limits

        async def one() -> None:
            nonlocal answered, refused
            answer = await it.http.post("/v1/chat/completions", json=body, timeout=120)
            if answer.status_code == 429:
                assert int(answer.headers["retry-after"]) >= 1
                refused += 1
            else:
                answer.raise_for_status()
                answered += 1

        async def unloaded() -> None:
            """One in the engine and one that waits."""
            end = time.monotonic() + part

            async def ask() -> None:
                while time.monotonic() < end:
                    await one()

            await asyncio.gather(ask(), ask())

        async def overloaded() -> None:
            nonlocal asked
            due = time.monotonic()
            end = due + part
            async with asyncio.TaskGroup() as arriving:
                while due < end:
                    await asyncio.sleep(due - time.monotonic())  # the load itself
                    arriving.create_task(one())
                    asked += 1
                    due += 0.1 / sustainable

        async def rate(load: Callable[[], Awaitable[None]]) -> float:
            """Answers a second."""
            began, before = time.monotonic(), answered
            await load()
            return (answered - before) / (time.monotonic() - began)

        await one()
        part = min(PART_SECONDS, scale.minutes * 60)
        parts = round(scale.minutes * 60 / part)
        sustainable = await rate(unloaded)
        memory, asked = it.memory(), 0
        # In turns, so that what else the machine does weighs on both.
        rates = [(await rate(unloaded), await rate(overloaded)) for _ in range(parts)]
        growth = it.memory() / memory
        await it.until(running=0, waiting=0)
    share = statistics.mean(loaded / alone for alone, loaded in rates)
    happened = (
        f"{asked - refused} answered, {refused} refused with a time;"
        f" {share:.0%} of unloaded throughput; memory x {growth:.2f}"
    )
    return Outcome(asked, happened, share >= 0.95 and growth <= 1.1)


async def waiting_times(folder: Path, scale: Scale) -> Outcome:
    """Answers of two efforts whose lengths vary by half: they end at a passage of their text."""
    dice = random.Random(0)
    errors: list[float] = []
    async with service(folder) as it:
        same: Any = {"tokens": 600, "temperature": 1, "seed": 1}
        text = (await it.ask(**same)).choices[0].message.content
        lengths = {"low": len(text) // 8, "high": len(text) // 2}

        async def wait() -> None:
            effort, length = dice.choice(list(lengths.items()))
            end = int(length * dice.uniform(0.5, 1.5))
            stop = [text[end : end + 20]]
            promised = waited = None
            began = time.monotonic()
            async for chunk in await it.ask(
                **same, stream=True, stop=stop, reasoning_effort=effort
            ):
                if not (queue := place(chunk)):
                    waited = waited or time.monotonic() - began
                elif promised is None:
                    promised = queue["eta_seconds"]
            if promised and waited:
                errors.append(abs(waited - promised) / promised)

        for _ in range(10):
            await wait()
        for _ in range(max(1, scale.times // 100)):
            async with asyncio.TaskGroup() as asking:
                for _ in range(11):
                    asking.create_task(wait())
    assert errors
    median = statistics.median(errors)
    return Outcome(len(errors), f"median error {median:.0%}", median < 0.25)


async def fairness(folder: Path, scale: Scale) -> Outcome:
    most = 0
    times = max(1, scale.times // 100)
    async with service(folder) as it:
        for _ in range(times):
            ended = 0

            async def long() -> None:
                nonlocal ended
                await it.ask(user="server/busy", tokens=50)
                ended += 1

            async with asyncio.TaskGroup() as asking:
                for _ in range(50):
                    asking.create_task(long())
                await it.until(waiting=49)
                before = ended
                async with await it.ask(user="server/other", tokens=4, stream=True) as short:
                    async for chunk in short:
                        if not (told := place(chunk)):
                            break
                        assert told["position"] == 1
                most = max(most, ended - before)
    assert most <= 2  # the one that ran, and one that ended before the question arrived
    return Outcome(times, "it was told at once that it is next, and was")


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
        "fifty questions of one person wait, then another asks",
        "the other waits for one generation at most",
        fairness,
    ),
]
