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


def ended(prompt_tokens: int, *, prefill: float, decode: float, tokens: int) -> Job:
    job = waiting(prompt_tokens)
    job.started, job.first_token, job.last_token = 0.0, prefill, prefill + decode
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
