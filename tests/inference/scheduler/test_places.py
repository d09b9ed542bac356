"""What those who wait are told: their place, the time it will take, or to come back later."""

import asyncio
import random

import pytest

pytest.importorskip("transformers")

from bot.inference.scheduler.job import Finished, Queued
from bot.inference.scheduler.scheduler import QueueFull
from tests.inference.scheduler.driving import bench, endless, events, last, says, until
from tests.inference.scheduler.test_speed import ended
from tests.inference.scripted_engine import ScriptedEngine
from tests.virtual_time import run_in_virtual_time


async def test_a_waiting_client_is_told_each_new_place() -> None:
    async with bench(ScriptedEngine(endless)) as it:
        running, *waiting = [it.submit() for _ in range(4)]
        assert await until(waiting[2], Queued) == Queued(3, None)
        waiting[0].cancel()
        assert await until(waiting[2], Queued) == Queued(2, None)
        running.cancel()
        assert await until(waiting[2], Queued) == Queued(1, None)


async def test_places_are_in_the_order_in_which_users_will_be_served() -> None:
    async with bench(ScriptedEngine(endless)) as it:
        jobs = [it.submit("server/busy") for _ in range(3)]
        other = it.submit("server/other")
        assert await until(other, Queued) == Queued(1, None)
        assert await until(jobs[1], Queued) == Queued(2, None)


async def test_an_unread_place_is_replaced_by_the_newer_one() -> None:
    async with bench(ScriptedEngine(endless)) as it:
        it.submit()
        gone, job = it.submit(), it.submit()
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        assert await anext(job) == Queued(1, None)


async def test_the_time_to_wait_is_known_once_a_request_has_finished() -> None:
    async with bench(ScriptedEngine(says(30))) as it:
        await events(it.submit(effort="low"))
        with it.engine.paused():
            it.submit(effort="low")
            jobs = [it.submit(effort="low") for _ in range(3)]
            places = [await until(job, Queued) for job in jobs]
        etas = [place.eta_seconds for place in places if place.eta_seconds is not None]
        assert len(etas) == 3
        assert etas == sorted(etas)
        assert it.scheduler.speed.tokens_per_second is not None


async def test_the_time_to_wait_is_told_again_while_it_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.inference.scheduler.scheduler.ANNOUNCE_SECONDS", 0.01)
    async with bench(ScriptedEngine(endless)) as it:
        await events(it.submit(max_tokens=1000))
        it.submit()
        job = it.submit()
        told = (await until(job, Queued)).eta_seconds
        assert told is not None
        later = told
        while later >= told:
            later = (await until(job, Queued)).eta_seconds or told


async def test_a_full_queue_refuses_and_says_when_to_try_again() -> None:
    async with bench(ScriptedEngine(endless), queue_limit=2) as it:
        running = it.submit(max_tokens=100)
        waiting = [it.submit(), it.submit()]
        told = r"^2 requests are waiting already; try again in 5 s$"
        with pytest.raises(QueueFull, match=told) as refusal:
            it.submit()
        assert refusal.value.retry_after == 5
        await events(running)
        with it.engine.paused():
            waiting += [it.submit()]
            await until(waiting[2], Queued)
            with pytest.raises(QueueFull) as refusal:
                it.submit()
            assert refusal.value.retry_after >= 1


async def test_the_time_to_wait_is_that_of_the_slot_that_is_free_first() -> None:
    async with bench(ScriptedEngine(endless, slots=2), queue_limit=3) as it:
        # An answer of 100 tokens, one in 1.3125 seconds.
        it.scheduler.speed.observe(ended(prefill=0.0, decode=99 * 1.3125, tokens=100))
        with it.engine.paused():
            running = [it.submit(max_tokens=tokens) for tokens in (50, 20)]
            waiting = [it.submit(max_tokens=tokens) for tokens in (35, 10, 10)]
            places = [await until(job, Queued) for job in waiting]
            assert places == [Queued(1, 26.2), Queued(2, 65.6), Queued(3, 72.2)]
            with pytest.raises(QueueFull) as refusal:
                it.submit()
            assert refusal.value.retry_after == 27
            for job in waiting:
                job.cancel()
            await asyncio.sleep(0)
            it.submit(max_tokens=10)
            await asyncio.sleep(0)
            running[1].cancel()
            await asyncio.sleep(0)
            for _ in range(3):
                it.submit()
            await asyncio.sleep(0)
            with pytest.raises(QueueFull) as refusal:
                it.submit()
            assert refusal.value.retry_after == 14


async def test_what_a_server_of_more_weight_has_running_counts_the_less() -> None:
    async with bench(ScriptedEngine(says(100))) as it:
        await events(it.submit())
        with it.engine.paused():
            left = it.submit("light/x", prompt=150)
            it.submit("heavy/x", prompt=8, weight=4.0)
            light, heavy = it.submit("light/x"), it.submit("heavy/x", weight=4.0)
            left.cancel()
            # Light was served 150 tokens; heavy's will have been 208, which count a quarter.
            assert (await until(heavy, Queued)).position == 1
            assert (await until(light, Queued)).position == 2


async def test_nobody_is_told_to_come_back_at_once() -> None:
    async with bench(ScriptedEngine(endless), queue_limit=1) as it:
        it.scheduler.speed.observe(ended(prefill=0.0, decode=0.0))
        with it.engine.paused():
            it.submit()
            assert await until(it.submit(), Queued) == Queued(1, 0.0)
            with pytest.raises(QueueFull) as refusal:
                it.submit()
        assert refusal.value.retry_after == 1


async def test_a_place_that_stays_is_told_once() -> None:
    async with bench(ScriptedEngine(endless)) as it:
        it.submit()
        waiting = it.submit()
        assert await anext(waiting) == Queued(1, None)
        told = asyncio.create_task(anext(waiting))
        assert await until(it.submit(), Queued) == Queued(2, None)
        await asyncio.sleep(0)
        assert not told.done()
        waiting.cancel()
        with pytest.raises(StopAsyncIteration):
            await told


def test_the_queue_is_looked_through_when_it_changes_and_every_five_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once for all who come at the same moment, and never while nobody waits."""
    looks: list[float] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        async with bench(ScriptedEngine(endless), deadline_seconds=1000.0) as it:
            with it.engine.paused():
                running = it.submit()
                monkeypatch.setattr(
                    it.scheduler.speed, "seconds_left", lambda job: looks.append(loop.time())
                )
                waiting = [it.submit() for _ in range(3)]
                await asyncio.sleep(1)
                waiting += [it.submit(), it.submit()]
                await asyncio.sleep(12)
                for job in waiting:
                    job.cancel()
                await asyncio.sleep(100)
                monkeypatch.undo()
                running.cancel()

    run_in_virtual_time(run())
    assert [round(at) for at in looks] == [0, 1, 6, 11, 13]


async def test_requests_that_arrive_meanwhile_count_against_the_limit() -> None:
    async with bench(ScriptedEngine(endless), queue_limit=3) as it:
        running = it.submit()
        it.submit()
        it.scheduler.check(1)
        with pytest.raises(QueueFull, match=r"^3 requests are waiting already"):
            it.scheduler.check(2)
        running.cancel()
        it.scheduler.check(2)


@pytest.mark.parametrize("seed", range(5))
async def test_all_are_served_in_the_order_of_the_places_that_they_were_told(seed: int) -> None:
    """While nobody else comes, and all answers are as long as the ones before."""
    chance = random.Random(seed)
    weights = {"A": 1.0, "B": 2.0, "C": 0.5}
    async with bench(ScriptedEngine(says(20))) as it:
        await events(it.submit())
        with it.engine.paused():
            jobs = []
            for _ in range(12):
                server, user = chance.choice("ABC"), chance.choice("xyz")
                prompt = chance.choice([1, 30, 100])
                name = f"{server}/{user}"
                jobs.append(it.submit(name, weight=weights[server], prompt=prompt))
            places = {job: (await until(job, Queued)).position for job in jobs[1:]}
        await asyncio.gather(*map(events, jobs))
        assert sorted(places.values()) == [*range(1, 12)]
        assert it.ended[2:] == sorted(jobs[1:], key=places.__getitem__)


async def test_without_a_queue_a_free_slot_still_takes_a_request() -> None:
    async with bench(ScriptedEngine(says(3)), queue_limit=0) as it:
        assert isinstance(await last(it.submit()), Finished)
