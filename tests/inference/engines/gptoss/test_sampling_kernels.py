"""Draws of whole batches, whose rows stand for many sequences with the same settings."""

import pytest
import torch
from torch import Tensor

from bot.inference.engines.gptoss.kernels import sampling
from bot.inference.engines.gptoss.kernels.sampling import SamplingState, sample
from tests.inference.engines.gptoss.tiny import CPU
from tests.inference.masks import mask_of

LOGITS = torch.tensor([0.1, 0.4, 0.2, 0.3]).log()


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program looks at so few tokens that a vocabulary of 300 has two chunks."""
    monkeypatch.setattr(sampling, "LARGEST_CHUNK", 256)


def draws(count: int = 40, logits: Tensor = LOGITS, **settings: float) -> list[int]:
    state = SamplingState.empty(count + 1, len(logits), CPU)
    state.temperatures.fill_(1)
    state.seeds.copy_(torch.arange(count + 1))
    for name, value in settings.items():
        getattr(state, name).fill_(value)
    return sample(logits.repeat(count, 1), torch.arange(count).int(), state).tolist()


def test_temperature_zero_takes_the_likeliest_token() -> None:
    assert set(draws(20, temperatures=0)) == {1}


def test_tokens_come_as_often_as_their_probability_says() -> None:
    drawn = draws(120)
    shares = [drawn.count(token) / len(drawn) for token in range(4)]
    assert shares == pytest.approx([0.1, 0.4, 0.2, 0.3], abs=0.08)


def test_a_lower_temperature_sharpens() -> None:
    assert draws(temperatures=0.3).count(1) > draws(temperatures=1).count(1)


@pytest.mark.parametrize(
    ("top_p", "tokens"), [(0.01, {1}), (0.39, {1}), (0.5, {1, 3}), (0.85, {1, 2, 3})]
)
def test_top_p_keeps_the_fewest_tokens_that_reach_it(top_p: float, tokens: set[int]) -> None:
    assert set(draws(12, top_p=top_p)) == tokens


@pytest.mark.usefixtures("small_chunks")
def test_top_p_counts_tokens_from_all_over_a_large_vocabulary() -> None:
    shares = torch.full((300,), 0.4 / 298)
    shares[[200, 290]] = 0.3
    assert set(draws(6, shares.log(), top_p=0.58)) == {200, 290}


def test_min_p_drops_tokens_far_below_the_likeliest() -> None:
    assert set(draws(30, min_p=0.6)) == {1, 3}


def step(state: SamplingState, slots: list[int], logits: Tensor = LOGITS) -> list[int]:
    rows = torch.tensor(slots, dtype=torch.int32)
    return sample(logits.repeat(len(slots), 1), rows, state).tolist()


def test_a_repetition_penalty_makes_room_for_tokens_that_did_not_come_yet() -> None:
    state = SamplingState.empty(2, 4, CPU)
    state.penalties[0] = 1.5
    assert [step(state, [0])[0] for _ in range(4)] == [1, 3, 1, 1]
    state = SamplingState.empty(2, 4, CPU)
    state.penalties[0] = 2.0
    assert [step(state, [0], LOGITS + 5)[0] for _ in range(3)] == [1, 3, 2]


@pytest.mark.usefixtures("small_chunks")
def test_no_token_outside_of_its_mask_is_drawn() -> None:
    """In a vocabulary of several chunks and part of a word, beside a row that is free."""
    vocabulary = 700
    logits = torch.zeros(vocabulary)
    logits[[7, 650]] = 5.0
    state = SamplingState.empty(18, vocabulary, CPU)
    state.temperatures.fill_(1)
    state.seeds.copy_(torch.arange(18))
    state.masks[:16] = torch.from_numpy(mask_of([40, 31, 699], vocabulary))
    state.top_p[8:] = 0.9
    state.temperatures[17] = 0
    rows = torch.arange(18, dtype=torch.int32)
    drawn = sample(logits.repeat(18, 1), rows, state).tolist()
    assert set(drawn[:16]) == {40, 31, 699}
    assert drawn[17] in (7, 650)


def test_a_draw_depends_on_seed_and_position_and_not_on_what_runs_beside_it() -> None:
    alone = SamplingState.empty(4, 4, CPU)
    beside = SamplingState.empty(4, 4, CPU)
    for state, slot in ((alone, 0), (beside, 2)):
        state.temperatures.fill_(1)
        state.seeds[slot] = 7
    expected = [step(alone, [0])[0] for _ in range(12)]
    assert [step(beside, [1, 2])[1] for _ in range(12)] == expected
    assert len(set(expected)) > 1


def test_a_forced_token_takes_the_place_of_one_draw_and_is_fed_next() -> None:
    state = SamplingState.empty(3, 4, CPU)
    state.positions[0] = 9
    state.forced[0] = 2
    assert step(state, [0, 1]) == [2, 1]
    assert (state.tokens.tolist()[:2], state.positions.tolist()[:2]) == ([2, 1], [10, 1])
    assert step(state, [0, 1]) == [1, 1]


def test_the_slot_that_fills_batches_up_stays_at_its_position() -> None:
    state = SamplingState.empty(2, 4, CPU)
    step(state, [1])
    assert state.positions.tolist() == [0, 0]
