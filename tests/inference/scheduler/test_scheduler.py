"""From a request to its last event: steps, ends of every kind, and what each leaves behind."""

import asyncio
import gc
import random
import threading
import weakref
from collections.abc import Iterator

import pytest

pytest.importorskip("transformers")

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.inference.engines import EngineError
from bot.inference.engines.base import Sequence
from bot.inference.scheduler.job import Failed, Finished, Queued, Started, Usage
from bot.inference.scheduler.scheduler import Closed, QueueFull
from bot.inference.text.delta import Delta
from tests.inference.scheduler.driving import (
    WORD,
    Bench,
    bench,
    endless,
    events,
    last,
    says,
    text,
    until,
    until_tokens,
)
from tests.inference.scripted_engine import ScriptedEngine


async def test_an_answer_starts_streams_and_finishes_with_its_usage() -> None:
    async with bench(ScriptedEngine(says(4))) as it:
        job = it.submit()
        job.sequence.cached_tokens = 2
        started, *deltas, finished = await events(job)
        assert started == Started()
        assert text(deltas) == " blue" * 3
        assert finished == Finished("stop", Usage(3, 2, 4, 0))
        assert it.ended == [job]


async def test_an_answer_ends_with_length_when_its_tokens_are_used_up() -> None:
    async with bench(ScriptedEngine(endless)) as it:
        *before, finished = await events(it.submit(max_tokens=7))
        assert text(before) == " blue" * 7
        assert isinstance(finished, Finished)
        assert finished.reason == "length"
        assert finished.usage.completion_tokens == 7


async def test_a_token_without_text_is_no_event() -> None:
    async with bench(ScriptedEngine(says(1))) as it:
        assert [type(event) for event in await events(it.submit())] == [Started, Finished]


async def test_what_was_held_back_for_a_stop_string_comes_with_the_end() -> None:
    async with bench(ScriptedEngine(says(4))) as it:
        assert text(await events(it.submit(stop=(" blue blue blue!",)))) == " blue" * 3


async def test_what_an_engine_says_of_a_released_sequence_is_not_heard() -> None:
    class Ahead(ScriptedEngine):
        """One token further than it was told to be, as an engine on a card may be."""

        def step(self) -> list[tuple[Sequence, int]]:
            return super().step() + [(gone, WORD) for gone in set(self.admitted) - self.running]

    async with bench(Ahead(says(20))) as it:
        with it.submit() as gone:
            await until_tokens(gone, 3)
        tokens = gone.tokens
        assert isinstance(await last(it.submit()), Finished)
        assert gone.tokens == tokens
        assert it.errors == []


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


async def test_text_that_a_slow_client_has_not_read_is_merged() -> None:
    async with bench(ScriptedEngine(says(500))) as it:
        job, later = it.submit(), it.submit()
        await anext(job)
        await events(later)
        rest = await events(job)
        assert [type(event) for event in rest] == [Delta, Finished]
        assert text(rest) == " blue" * 499


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
                late = "No complete answer within 0.05 s."
                assert await last(job) == Failed("deadline_exceeded", late)
                assert job.outcome_name == "error"
            assert (it.scheduler.running, it.scheduler.waiting) == (0, 0)


async def test_a_deadline_and_the_first_tokens_time_begin_when_the_request_came() -> None:
    async with bench(ScriptedEngine(endless), deadline_seconds=1000.0) as it:
        now = asyncio.get_running_loop().time()
        late, job = it.submit(arrived=now - 1000), it.submit(arrived=now - 500, max_tokens=1)
        failed = await last(late)
        assert isinstance(failed, Failed)
        assert failed.code == "deadline_exceeded"
        assert isinstance(await last(job), Finished)
        assert it.tokens[-1][1] > 500


async def test_nothing_keeps_a_request_that_has_ended_until_its_deadline() -> None:
    async with bench(ScriptedEngine(says(3))) as it:
        kept = weakref.ref(job := it.submit())
        await events(job)
        it.tokens.clear()
        it.ended.clear()
        del job
        await events(it.submit())  # the engine's thread lets go of the one before
        gc.collect()
        assert kept() is None


async def test_an_engine_is_told_in_the_middle_of_a_step_that_nobody_waits_for_a_sequence() -> None:
    async with bench(ScriptedEngine(endless)) as it:
        job = it.submit()
        with it.engine.paused():
            await asyncio.to_thread(it.engine.wait_for_step)
            assert not job.sequence.abandoned
            job.cancel()
            assert job.sequence.abandoned


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


@pytest.mark.parametrize(
    ("one", "other"), [((100, 10), (80, 21)), ((100, 31), (123, 20))], ids=["written", "read"]
)
async def test_a_written_token_counts_as_much_as_two_that_were_read(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    """Each has had one answer, which counted 120 and 122, or 162 and 163: who is next?"""
    answers = dict((one, other))
    async with bench(ScriptedEngine(lambda it: says(answers[len(it.prompt)])(it))) as it:
        with it.engine.paused():
            users = [("server/one", one[0]), ("server/other", other[0])] * 2
            jobs = [it.submit(user, prompt=prompt) for user, prompt in users]
        await asyncio.gather(*map(events, jobs))
        assert it.ended == jobs


async def test_a_user_without_a_server_is_one() -> None:
    async with bench(ScriptedEngine(says(50))) as it:
        with it.engine.paused():
            large = [it.submit(f"large/{number}") for number in range(3)]
            small = [it.submit("ann"), it.submit("ben")]
        await asyncio.gather(*map(events, [*large, *small]))
        assert it.ended == [large[0], *small, *large[1:]]


async def test_what_was_served_before_the_engine_was_idle_counts_no_more() -> None:
    async with bench(ScriptedEngine(says(50))) as it:
        await events(it.submit("server/busy"))
        with it.engine.paused():
            jobs = [it.submit(user) for user in ("other/x", "server/busy", "server/new")]
        await asyncio.gather(*map(events, jobs))
        assert it.ended[1:] == jobs


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
        failed = Failed("engine_failed", "The engine failed; the service is restarting.", 5)
        assert await last(running) == failed
        assert Started() not in (told := await events(waiting))
        assert told[-1] == failed
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
        (hanging,) = [thread for thread in threading.enumerate() if thread.name == "engine"]
        assert hanging.daemon  # the process can end without it
    assert await asyncio.to_thread(it.scheduler._thread.join, 10)
    assert it.engine.closed


async def test_an_engine_that_can_not_go_on_with_a_request_goes_on_with_the_next() -> None:
    async with bench(ScriptedEngine(says(50))) as it:
        with it.engine.paused():
            running, waiting = it.submit(), it.submit()
            await asyncio.to_thread(it.engine.wait_for_step)
            failing = len(it.engine.steps)
            it.engine.error = EngineError("too little memory")
        assert await last(running) == Failed("engine_failed", "too little memory")
        assert isinstance(await last(waiting), Finished)
        assert all(step == {waiting.sequence} for step in it.engine.steps[failing:])
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
            assert failed == Failed("shutting_down", "The service is shutting down.", 5)
            with pytest.raises(Closed, match=r"^The service is shutting down\.$"):
                it.submit()
        assert isinstance(await last(running), Finished)
        await draining
        assert it.errors == []


async def test_draining_an_idle_scheduler_waits_for_nothing() -> None:
    async with bench(ScriptedEngine(says(3))) as unused:
        await unused.scheduler.drain(10**6)
    async with bench(ScriptedEngine(says(3))) as it:
        await events(it.submit())
        await it.scheduler.drain(10**6)


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
