"""Load: more is asked of the service than it can do."""

import asyncio
import random
import statistics
import time
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from bot.config import InferenceConfig
from bot.inference.models.catalog import fetch
from tests.soak.drill import Drill, Outcome, Scale
from tests.soak.service import place, service
from tests.waiting import HANG_SECONDS

ANSWER = 200
"""Tokens of an answer under overload: the default model writes it in some seconds."""
QUESTION = "Why is the sky blue? " * 150
"""The default model reads it in two seconds or so."""
TURN_SECONDS = 10.0
TURNS = 12
"""How often the throughput is measured, unloaded and overloaded for so long each."""


def default_model() -> Path:
    """Its folder; it is fetched if it isn't there."""
    config = InferenceConfig()
    return fetch(config.model, config.models_dir, lambda *_: None)


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
        await it.until_free()
        growth = it.memory() / before
        for _ in range(max(2, scale.times // 10)):
            stream = await it.ask(tokens=10_000, stream=True)
            async for _ in stream:
                break
            began = time.perf_counter()
            await stream.close()
            await it.until_free()
            seconds.append(time.perf_counter() - began)
        free, most = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
    happened = (
        f"nothing left; memory x {growth:.2f};"
        f" free after {free * 1000:.0f} ms (median), {most * 1000:.0f} ms (95 %)"
    )
    return Outcome(scale.times, happened, growth <= 1.1 and free <= 0.05)


async def cancels_in_prefill(folder: Path, scale: Scale) -> Outcome:
    dice = random.Random(0)
    async with service(folder, model=default_model()) as it:
        seconds: list[float] = []
        grown: list[float] = []
        began = time.perf_counter()
        await it.ask(QUESTION, tokens=1)
        reading = time.perf_counter() - began
        for number in range(max(10, scale.times // 10)):
            # No two begin alike, so that none has a prefix in the cache.
            stream = await it.ask(f"{number}. {QUESTION}", stream=True)
            await anext(aiter(stream))
            await asyncio.sleep(reading * dice.uniform(0.05, 0.5))
            assert await it.metric("vllm:generation_tokens_total") == 1  # of the first alone
            began = time.perf_counter()
            await stream.close()
            await it.until_free()
            seconds.append(time.perf_counter() - began)
            grown.append(it.memory())
        growth = grown[-1] / grown[len(grown) // 10]
        began = time.perf_counter()
        answer = await it.ask(tokens=64)
        step = (time.perf_counter() - began) / answer.usage.completion_tokens
    free, most = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
    happened = (
        f"free after {free * 1000:.0f} ms (median), {most * 1000:.0f} ms (95 %), where a step takes"
        f" {step * 1000:.0f} ms; memory x {growth:.2f}"
    )
    return Outcome(len(seconds), happened, free <= 0.05 + step and growth <= 1.1)


async def overload(folder: Path, scale: Scale) -> Outcome:
    async with service(folder, model=default_model(), queue_limit=4) as it:
        answered = refused = 0
        messages = [{"role": "user", "content": "Why is the sky blue?"}]
        limits = {"max_tokens": ANSWER, "temperature": 0}
        body = {"model": it.model, "messages": messages} | limits

        async def one() -> None:
            nonlocal answered, refused
            answer = await it.http.post("/v1/chat/completions", json=body, timeout=HANG_SECONDS)
            if answer.status_code == 429:
                assert int(answer.headers["retry-after"]) >= 1
                refused += 1
            else:
                answer.raise_for_status()
                answered += 1

        async def busy(end: float) -> None:
            """One in the engine and one that waits."""

            async def ask() -> None:
                while time.monotonic() < end:
                    await one()

            await asyncio.gather(ask(), ask())

        async def arrive(arriving: asyncio.TaskGroup, a_second: float, seconds: float) -> None:
            due = time.monotonic()
            end = due + seconds
            while due < end:
                await asyncio.sleep(due - time.monotonic())  # the load itself
                arriving.create_task(one())
                due += 1 / a_second

        async def rate(load: Awaitable[None]) -> float:
            """Tokens a second, as the service counts them."""
            began, before = time.monotonic(), await it.metric("vllm:generation_tokens_total")
            await load
            tokens = await it.metric("vllm:generation_tokens_total") - before
            return tokens / (time.monotonic() - began)

        await one()
        ten_times = 10 * await rate(one()) / ANSWER
        memory = it.memory()
        answered = refused = 0
        async with asyncio.TaskGroup() as arriving:
            await arrive(arriving, ten_times, scale.minutes * 60)
        growth = it.memory() / memory
        ended = f"{answered} answered, {refused} refused with a time"
        asked = answered + refused

        # By turns, without and with the load: a machine's speed differs from minute to minute.
        shares = []
        turn = min(TURN_SECONDS, scale.minutes * 60)
        for _ in range(TURNS if turn == TURN_SECONDS else 1):
            await it.until(running=0, waiting=0)
            alone = await rate(busy(time.monotonic() + turn))
            async with asyncio.TaskGroup() as arriving:
                loaded = await rate(arrive(arriving, ten_times, turn))
            shares.append(loaded / alone)
    share = statistics.median(shares)
    happened = f"{ended}; {share:.0%} of unloaded throughput; memory x {growth:.2f}"
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
            began = time.monotonic()
            stream = await it.ask(**same, stream=True, stop=stop, reasoning_effort=effort)
            first = place(await anext(stream))
            async for chunk in stream:
                if not place(chunk):
                    break
            waited = time.monotonic() - began
            async for _ in stream:
                pass
            if first:  # else it did not have to wait
                assert first["eta_seconds"] is not None
                errors.append(abs(waited - first["eta_seconds"]) / waited)

        for _ in range(10):
            await wait()
        for _ in range(max(1, scale.times // 100)):
            async with asyncio.TaskGroup() as asking:
                for _ in range(11):
                    asking.create_task(wait())
    median = statistics.median(errors)
    happened = f"each was told at once; median error {median:.0%}"
    return Outcome(len(errors), happened, median < 0.25)


async def fairness(folder: Path, scale: Scale) -> Outcome:
    most, times = 0, max(1, scale.times // 100)
    async with service(folder) as it:
        for _ in range(times):
            ended: asyncio.Queue[None] = asyncio.Queue()

            async def long(ended: asyncio.Queue[None] = ended) -> None:
                await it.ask(user="server/busy", tokens=50)
                ended.put_nowait(None)

            async with asyncio.TaskGroup() as asking:
                for _ in range(50):
                    asking.create_task(long())
                await it.until(waiting=45)
                while not ended.empty():
                    ended.get_nowait()
                await ended.get()  # the next one has just begun
                async with await it.ask(user="server/other", tokens=4, stream=True) as short:
                    async for chunk in short:
                        if not (told := place(chunk)):
                            break
                        assert told["position"] == 1
                most = max(most, ended.qsize())
    assert most <= 1
    return Outcome(times, "it was told at once that it is next, and was")


async def weights(folder: Path, scale: Scale) -> Outcome:
    each = max(9, scale.times // 20)
    async with service(folder, queue_limit=2 * each) as it:
        ended: Counter[float] = Counter()
        when_the_heavier_was_done = 0

        async def question(weight: float) -> None:
            nonlocal when_the_heavier_was_done
            options = {"user": f"server-{weight}/person", "extra_body": {"weight": weight}}
            await it.ask(tokens=20, **options)
            ended[weight] += 1
            if ended[3] == each and weight == 3:
                when_the_heavier_was_done = ended[1]

        busy = await it.ask(user="other/person", tokens=10_000, stream=True)
        await anext(busy)
        async with asyncio.TaskGroup() as asking:
            for _ in range(each):
                asking.create_task(question(1))
                asking.create_task(question(3))
            await it.until(waiting=2 * each)
            await busy.close()
    assert abs(when_the_heavier_was_done - each / 3) <= 2  # the first, and one under way
    return Outcome(2 * each, f"{each} to {when_the_heavier_was_done} while both waited")


DRILLS = [
    Drill(
        "answers given up at random moments",
        "nothing runs, waits or stays allocated; the engine is free in 50 ms",
        cancels,
    ),
    Drill(
        "questions given up while the default model reads them",
        "the engine is free in one decode step and 50 ms; 1.1 times the memory",
        cancels_in_prefill,
    ),
    Drill(
        "ten times the load that can be served",
        "each ends in an answer or a 429 with a time; 95 % of the throughput, 1.1 times the memory",
        overload,
    ),
    Drill(
        "ten wait, and are told how long",
        "each is told; the median error of the promised wait is under 25 %",
        waiting_times,
    ),
    Drill(
        "fifty questions of one person wait, then another asks",
        "the other waits for one generation at most",
        fairness,
    ),
    Drill(
        "two servers wait whose weights are 1 and 3",
        "the heavier gets three times the tokens",
        weights,
    ),
]
