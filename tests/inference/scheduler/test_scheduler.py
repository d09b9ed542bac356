import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest

pytest.importorskip("transformers")

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.inference.engines import EngineError
from bot.inference.engines.base import Sequence
from bot.inference.scheduler.job import Event, Failed, Finished, Job, Queued, Started
from bot.inference.scheduler.scheduler import Closed, QueueFull, Scheduler
from bot.inference.text.delta import Delta
from bot.inference.text.generation import Generation
from bot.inference.text.prompt import ChatFormat
from tests.inference.scripted_engine import ScriptedEngine
from tests.inference.tokenizers_fixture import SMOLLM2_TEMPLATE, chatml_tokenizer

E = TypeVar("E", bound=Event)

FORMAT = ChatFormat(chatml_tokenizer(SMOLLM2_TEMPLATE))
WORD = FORMAT.control_ids(" blue")[0]
END = min(FORMAT.stop_ids)


def says(tokens: int) -> Callable[[Sequence], list[int]]:
    """Every answer has so many tokens, the last of which ends the turn."""
    return lambda sequence: [WORD] * (tokens - 1) + [END]


def endless(sequence: Sequence) -> Iterator[int]:
    return itertools.repeat(WORD)


class Bench:
    """A scheduler, its engine, and what became of the jobs."""

    def __init__(
        self, engine: ScriptedEngine, queue_limit: int = 100, deadline_seconds: float = 60.0
    ) -> None:
        self.engine = engine
        self.ended: list[Job] = []
        self.errors: list[Exception] = []
        self.tokens: list[tuple[Job, float]] = []
        """Whose each was, and the seconds since the one before."""
        self.scheduler = Scheduler(
            engine,
            queue_limit=queue_limit,
            deadline_seconds=deadline_seconds,
            on_token=lambda job, seconds: self.tokens.append((job, seconds)),
            on_end=self.ended.append,
            on_failure=self.errors.append,
        )

    def submit(
        self,
        user: str = "server/user",
        *,
        max_tokens: int = 10**9,
        effort: str | None = None,
        weight: float = 1.0,
    ) -> Job:
        sequence = Sequence([1, 2, 3])
        generation = Generation(FORMAT, sequence, max_tokens=max_tokens)
        return self.scheduler.submit(
            sequence,
            generation,
            request_id="id",
            user=user,
            weight=weight,
            effort=effort,
            max_tokens=max_tokens,
        )

    def assert_nothing_left(self) -> None:
        assert (self.scheduler.running, self.scheduler.waiting) == (0, 0)
        assert not self.scheduler._timers
        assert self.engine.running == set()


@asynccontextmanager
async def bench(engine: ScriptedEngine, **options: Any) -> AsyncIterator[Bench]:
    it = Bench(engine, **options)
    try:
        yield it
    finally:
        await it.scheduler.drain(0)
        it.assert_nothing_left()
        assert engine.closed


async def events(job: Job) -> list[Event]:
    with job:
        return [event async for event in job]


async def last(job: Job) -> Event:
    return (await events(job))[-1]


def text(job_events: list[Event]) -> str:
    return "".join(event.content for event in job_events if isinstance(event, Delta))


async def until_tokens(job: Job, tokens: int) -> None:
    """Read the job's events until so many tokens were generated."""
    while job.tokens < tokens:
        await anext(job)


async def until(job: Job, kind: type[E]) -> E:
    """The job's next event of this kind."""
    async for event in job:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"the job ended without {kind.__name__}")


async def test_an_answer_starts_streams_and_finishes_with_its_usage() -> None:
    async with bench(ScriptedEngine(says(4))) as it:
        job = it.submit()
        started, *deltas, finished = await events(job)
        assert started == Started()
        assert text(deltas) == " blue" * 3
        assert isinstance(finished, Finished)
        assert finished.reason == "stop"
        assert (finished.usage.prompt_tokens, finished.usage.completion_tokens) == (3, 4)
        assert it.ended == [job]


async def test_an_answer_ends_with_length_when_its_tokens_are_used_up() -> None:
    async with bench(ScriptedEngine(endless)) as it:
        *before, finished = await events(it.submit(max_tokens=7))
        assert text(before) == " blue" * 7
        assert isinstance(finished, Finished)
        assert finished.reason == "length"
        assert finished.usage.completion_tokens == 7


async def test_the_time_of_each_token_is_told_and_the_first_ones_is_that_since_the_request() -> (
    None
):
    async with bench(ScriptedEngine(endless)) as it:
        job = it.submit(max_tokens=4)
        await events(job)
        assert [whose for whose, _ in it.tokens] == [job] * 4
        (_, first), *_ = it.tokens
        assert first == (job.first_token or 0) - job.submitted
        assert sum(seconds for _, seconds in it.tokens) == pytest.approx(
            job.last_token - job.submitted
        )


async def test_one_request_generates_at_a_time_by_default() -> None:
    async with bench(ScriptedEngine(says(5))) as it:
        await asyncio.gather(*(events(it.submit()) for _ in range(4)))
        assert all(len(step) == 1 for step in it.engine.steps)


async def test_with_several_slots_so_many_generate_together() -> None:
    async with bench(ScriptedEngine(says(20), slots=3)) as it:
        with it.engine.paused():
            jobs = [it.submit() for _ in range(5)]
            assert (it.scheduler.running, it.scheduler.waiting) == (3, 2)
        await asyncio.gather(*map(events, jobs))
        assert max(map(len, it.engine.steps)) == 3


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


async def test_text_that_a_slow_client_has_not_read_is_merged() -> None:
    async with bench(ScriptedEngine(says(500))) as it:
        job, later = it.submit(), it.submit()
        await anext(job)
        await events(later)
        rest = await events(job)
        assert [type(event) for event in rest] == [Delta, Finished]
        assert text(rest) == " blue" * 499


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


async def test_another_effort_is_expected_to_be_as_long_as_it_was() -> None:
    async with bench(ScriptedEngine(endless)) as it:
        await events(it.submit(effort="low", max_tokens=10))
        await events(it.submit(effort="high", max_tokens=200))
        expected = {}
        with it.engine.paused():
            running = it.submit()
            for effort in ("low", "high", "medium"):
                expected[effort] = it.scheduler.speed.tokens_left(it.submit(effort=effort))
            short = it.submit(effort="high", max_tokens=50)
            assert it.scheduler.speed.tokens_left(short) == 50
            running.cancel()
        assert expected == {"low": 10, "high": 200, "medium": 48}  # 10 + 0.2 * (200 - 10)


async def test_an_answer_longer_than_the_average_is_expected_to_go_on_for_a_while() -> None:
    async with bench(ScriptedEngine(endless)) as it:
        await events(it.submit(max_tokens=40))
        job = it.submit()
        await until_tokens(job, 100)
        job.cancel()
        assert it.scheduler.speed.tokens_left(job) == 10


async def test_a_full_queue_refuses_and_says_when_to_try_again() -> None:
    async with bench(ScriptedEngine(endless), queue_limit=2) as it:
        running = it.submit(max_tokens=100)
        waiting = [it.submit(), it.submit()]
        with pytest.raises(QueueFull, match="2 requests are waiting already") as refusal:
            it.submit()
        assert refusal.value.retry_after >= 1
        await events(running)
        with it.engine.paused():
            waiting += [it.submit()]
            await until(waiting[2], Queued)
            with pytest.raises(QueueFull) as refusal:
                it.submit()
            assert refusal.value.retry_after >= 1


async def test_without_a_queue_a_free_slot_still_takes_a_request() -> None:
    async with bench(ScriptedEngine(says(3)), queue_limit=0) as it:
        assert isinstance(await last(it.submit()), Finished)


async def test_a_waiting_request_that_is_cancelled_never_runs() -> None:
    async with bench(ScriptedEngine(endless)) as it:
        running = it.submit()
        waiting = it.submit()
        waiting.cancel()
        assert it.scheduler.waiting == 0
        running.cancel()
        after = it.submit(max_tokens=2)
        await events(after)
        assert waiting.sequence not in it.engine.admitted


@pytest.mark.parametrize("tokens_before", [0, 3])
async def test_a_running_request_that_is_cancelled_takes_part_in_no_further_step(
    tokens_before: int,
) -> None:
    async with bench(ScriptedEngine(endless)) as it:
        job = it.submit()
        await until_tokens(job, tokens_before)
        with it.engine.paused():
            await asyncio.to_thread(it.engine.wait_for_step)
            steps = len(it.engine.steps)
            job.cancel()
            next_job = it.submit(max_tokens=2)
        await events(next_job)
        assert it.engine.steps[steps] == {next_job.sequence}


async def test_a_request_loses_nothing_of_a_step_in_which_another_one_is_cancelled() -> None:
    async with bench(ScriptedEngine(endless, slots=2)) as it:
        with it.engine.paused():
            cancelled, other = it.submit(), it.submit(max_tokens=5)
        await until_tokens(cancelled, 1)
        with it.engine.paused():
            await asyncio.to_thread(it.engine.wait_for_step)
            cancelled.cancel()
        *before, finished = await events(other)
        assert text(before) == " blue" * 5
        assert isinstance(finished, Finished)
        assert finished.usage.completion_tokens == 5


async def test_leaving_the_block_cancels_and_a_second_cancel_does_nothing() -> None:
    async with bench(ScriptedEngine(endless)) as it:
        with it.submit() as job:
            await until(job, Delta)
        assert it.scheduler.running == 0
        job.cancel()
        assert it.ended == [job]
        assert job.outcome is None


async def test_a_client_that_listens_while_its_request_is_cancelled_stops_listening() -> None:
    async with bench(ScriptedEngine(endless)) as it:
        it.submit()
        waiting = it.submit()
        listening = asyncio.create_task(events(waiting))
        await asyncio.sleep(0)
        waiting.cancel()
        assert all(isinstance(event, Queued) for event in await listening)


async def test_requests_past_their_deadline_fail_and_free_the_engine() -> None:
    async with bench(ScriptedEngine(endless), deadline_seconds=0.05) as it:
        with it.engine.paused():
            jobs = [it.submit(), it.submit()]
            for job in jobs:
                failed = await last(job)
                assert isinstance(failed, Failed)
                assert failed.code == "deadline_exceeded"
            assert (it.scheduler.running, it.scheduler.waiting) == (0, 0)


async def test_one_user_with_many_long_requests_delays_another_by_one_generation() -> None:
    async with bench(ScriptedEngine(says(100))) as it:
        for _ in range(10):
            it.submit("server/busy")
        other = it.submit("server/other")
        await events(other)
        assert it.engine.admitted[1] is other.sequence


async def test_a_server_of_weight_two_gets_twice_the_answers_of_the_same_length() -> None:
    async with bench(ScriptedEngine(says(50))) as it:
        with it.engine.paused():
            light = [it.submit("light/user") for _ in range(12)]
            heavy = [it.submit("heavy/user", weight=2.0) for _ in range(12)]
        await asyncio.gather(*map(events, [*light, *heavy]))
        first = it.ended[:15]
        assert sum(job in heavy for job in first) == pytest.approx(10, abs=1)


async def test_a_server_with_many_users_does_not_hold_up_another_server() -> None:
    async with bench(ScriptedEngine(says(50))) as it:
        for number in range(10):
            it.submit(f"large/{number}")
        small = it.submit("small/user")
        await events(small)
        assert it.engine.admitted[1] is small.sequence


async def test_an_engine_that_breaks_fails_every_request_and_says_so() -> None:
    async with bench(ScriptedEngine(endless)) as it:
        running, waiting = it.submit(), it.submit()
        await until(running, Delta)
        it.engine.error = error = RuntimeError("CUDA error: an illegal memory access")
        for job in (running, waiting):
            failed = await last(job)
            assert isinstance(failed, Failed)
            assert failed.code == "engine_failed"
        assert it.errors == [error]
        with pytest.raises(Closed, match="engine failed"):
            it.submit()
        it.engine._left.clear()  # a broken engine is closed, not released


async def test_an_engine_that_can_not_take_a_request_goes_on_with_the_next() -> None:
    async with bench(ScriptedEngine(says(3))) as it:
        it.engine.refusal = EngineError("too little memory")
        refused, next_one = it.submit(), it.submit()
        failed = await last(refused)
        assert failed == Failed("engine_failed", "too little memory")
        assert isinstance(await last(next_one), Finished)
        assert it.errors == []


async def test_an_engine_that_can_not_go_on_fails_all_that_were_in_it() -> None:
    async with bench(ScriptedEngine(endless, slots=2)) as it:
        jobs = [it.submit(), it.submit()]
        await until_tokens(jobs[0], 1)
        await until_tokens(jobs[1], 1)
        it.engine.error = EngineError("out of memory")
        for job in jobs:
            assert await last(job) == Failed("engine_failed", "out of memory")


async def test_a_step_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.inference.scheduler.scheduler.HUNG_SECONDS", 0.05)
    it = Bench(ScriptedEngine(endless))
    job = it.submit()
    await until(job, Delta)
    with it.engine.paused():
        await asyncio.to_thread(it.engine.wait_for_step)
        await it.scheduler.drain(0)
        assert job.ended is not None
        assert not it.engine.closed
    assert await asyncio.to_thread(it.scheduler._thread.join, 10)
    assert it.engine.closed


async def test_an_engine_that_can_not_go_on_with_a_request_goes_on_with_the_next() -> None:
    async with bench(ScriptedEngine(says(50))) as it:
        with it.engine.paused():
            running, waiting = it.submit(), it.submit()
            await asyncio.to_thread(it.engine.wait_for_step)
            it.engine.error = EngineError("too little memory")
        assert await last(running) == Failed("engine_failed", "too little memory")
        assert isinstance(await last(waiting), Finished)
        assert it.errors == []


async def test_an_engine_that_can_not_even_be_closed_still_ends_its_thread() -> None:
    class Stuck(ScriptedEngine):
        def close(self) -> None:
            super().close()
            raise RuntimeError("the device is gone")

    async with bench(Stuck(says(3))) as it:
        await events(it.submit())


async def test_draining_lets_a_running_answer_finish_and_refuses_the_rest() -> None:
    async with bench(ScriptedEngine(says(30))) as it:
        with it.engine.paused():
            running, waiting = it.submit(), it.submit()
            draining = asyncio.create_task(it.scheduler.drain(30))
            failed = await last(waiting)
            assert isinstance(failed, Failed)
            assert failed.code == "shutting_down"
            with pytest.raises(Closed):
                it.submit()
        assert isinstance(await last(running), Finished)
        await draining


async def test_draining_gives_up_on_an_answer_after_the_grace_period() -> None:
    async with bench(ScriptedEngine(endless)) as it:
        job = it.submit()
        await until(job, Delta)
        await it.scheduler.drain(0.05)
        failed = await last(job)
        assert isinstance(failed, Failed)
        assert failed.code == "shutting_down"


@pytest.fixture(scope="module")
def loop_runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), slots=st.integers(1, 4))
def test_cancels_at_random_moments_leave_nothing_behind(
    loop_runner: asyncio.Runner, seed: int, slots: int
) -> None:
    chance = random.Random(seed)

    async def client(it: Bench) -> str:
        for _ in range(chance.randrange(20)):
            await asyncio.sleep(0)
        try:
            job = it.submit(f"{chance.choice('AB')}/{chance.choice('xyz')}")
        except QueueFull:
            return "refused"
        stop_after = chance.choice([0, 1, 2, 3, 10, 10**6])
        with job:
            async for _ in job:
                stop_after -= 1
                if stop_after < 0:
                    break
        return job.outcome_name

    async def run() -> None:
        async with bench(ScriptedEngine(says(20), slots=slots), queue_limit=15) as it:
            outcomes = await asyncio.gather(*(client(it) for _ in range(40)))
            assert set(outcomes) <= {"refused", "abort", "stop"}
            assert len(it.ended) == len(outcomes) - outcomes.count("refused")
            assert (it.scheduler.running, it.scheduler.waiting) == (0, 0)

    loop_runner.run(run())
