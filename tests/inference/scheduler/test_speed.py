"""What is learnt from requests that have ended about those that have not."""

import pytest

pytest.importorskip("transformers")

from bot.inference.engines.base import Sequence
from bot.inference.scheduler.job import Finished, Job, Usage
from bot.inference.scheduler.speed import Speed
from bot.inference.text.generation import Generation
from bot.inference.text.prompt import ChatFormat
from tests.inference.tokenizers_fixture import SMOLLM2_TEMPLATE, chatml_tokenizer

FORMAT = ChatFormat(chatml_tokenizer(SMOLLM2_TEMPLATE))
USAGE = Usage(prompt_tokens=100, cached_tokens=0, completion_tokens=11, reasoning_tokens=0)


def waiting(prompt_tokens: int) -> Job:
    sequence = Sequence([1] * prompt_tokens)
    return Job(
        request_id="id",
        flow=("server", "user"),
        weight=1.0,
        effort=None,
        max_tokens=1000,
        sequence=sequence,
        generation=Generation(FORMAT, sequence, max_tokens=1000),
        submitted=0.0,
        on_cancel=lambda job: None,
    )


def ended(
    prompt_tokens: int = 100,
    *,
    prefill: float = 2.0,
    decode: float = 5.0,
    tokens: int = 11,
    effort: str | None = None,
) -> Job:
    job = waiting(prompt_tokens)
    job.effort = effort
    job.started, job.first_token, job.last_token = 3.0, 3.0 + prefill, 3.0 + prefill + decode
    job.tokens, job.outcome = tokens, Finished("stop", USAGE)
    return job


def test_nothing_is_promised_before_anything_was_measured() -> None:
    assert Speed().seconds_left(waiting(100)) is None


@pytest.mark.parametrize(("prompt_tokens", "prefill"), [(100, 2.0), (50, 1.0), (400, 8.0)])
def test_a_request_is_expected_to_take_its_prompts_time_and_an_answers(
    prompt_tokens: int, prefill: float
) -> None:
    speed = Speed()
    speed.observe(ended(100, prefill=2.0, decode=5.0, tokens=11))
    assert speed.seconds_left(waiting(prompt_tokens)) == pytest.approx(prefill + 11 * 0.5)


def test_an_answer_that_runs_has_read_its_prompt_and_has_fewer_tokens_left() -> None:
    speed = Speed()
    speed.observe(ended(100, prefill=2.0, decode=5.0, tokens=11))
    running = waiting(400)
    running.first_token, running.tokens = 1.0, 5
    assert speed.seconds_left(running) == pytest.approx((11 - 5) * 0.5)


def test_the_newest_request_counts_a_fifth_of_what_is_expected() -> None:
    speed = Speed()
    speed.observe(ended(tokens=11))
    speed.observe(ended(tokens=21))
    assert speed.tokens_left(waiting(100)) == pytest.approx(11 + 0.2 * (21 - 11))


def test_each_effort_has_its_own_length_and_a_new_one_that_of_all() -> None:
    speed = Speed()
    speed.observe(ended(tokens=10, effort="low"))
    speed.observe(ended(tokens=60, effort="high"))
    low, high, new = (waiting(100) for _ in range(3))
    low.effort, high.effort, new.effort = "low", "high", "medium"
    assert [speed.tokens_left(job) for job in (low, high, new)] == pytest.approx([10, 60, 20])


def test_an_answer_is_expected_to_keep_to_its_limit_of_tokens() -> None:
    speed = Speed()
    speed.observe(ended(tokens=11))
    running = waiting(100)
    running.max_tokens, running.tokens = 8, 5
    assert speed.tokens_left(running) == 3


def test_an_answer_that_outlives_the_average_is_expected_to_go_on_for_a_quarter_of_it() -> None:
    speed = Speed()
    speed.observe(ended(tokens=12))
    running = waiting(100)
    running.tokens = 500
    assert speed.tokens_left(running) == 3


def test_a_request_without_a_first_token_tells_nothing() -> None:
    speed, cancelled = Speed(), waiting(100)
    cancelled.started = 1.0
    speed.observe(cancelled)
    assert speed.tokens_per_second is None
    assert speed.seconds_left(waiting(100)) is None


def test_a_cancelled_request_tells_the_speed_but_not_the_length() -> None:
    speed, cancelled = Speed(), ended(decode=5.0, tokens=11)
    cancelled.outcome = None
    speed.observe(cancelled)
    assert speed.tokens_per_second == pytest.approx(2)
    assert speed.tokens_left(waiting(100)) is None


@pytest.mark.parametrize(("tokens", "found"), [(1, None), (2, 4.0)])
def test_the_speed_is_known_from_the_second_token_on(tokens: int, found: float | None) -> None:
    speed = Speed()
    speed.observe(ended(decode=0.25 * (tokens - 1), tokens=tokens))
    assert speed.tokens_per_second == found
