import pytest

torch = pytest.importorskip("torch")

from bot.inference.engines.base import Sampling  # noqa: E402
from bot.inference.engines.sampling import Sampler  # noqa: E402

CPU = torch.device("cpu")
LOGITS = torch.tensor([0.1, 0.4, 0.2, 0.3]).log()


def draws(sampling: Sampling, count: int = 400) -> list[int]:
    sampler = Sampler(sampling, CPU)
    return [sampler(LOGITS) for _ in range(count)]


def test_temperature_zero_takes_the_likeliest_token() -> None:
    assert set(draws(Sampling(temperature=0), 20)) == {1}


def test_a_temperature_too_small_to_divide_by_is_greedy() -> None:
    assert set(draws(Sampling(temperature=1e-45), 20)) == {1}


def test_tokens_come_as_often_as_their_probability_says() -> None:
    drawn = draws(Sampling(seed=1), 4000)
    shares = [drawn.count(token) / len(drawn) for token in range(4)]
    assert shares == pytest.approx([0.1, 0.4, 0.2, 0.3], abs=0.03)


def test_a_higher_temperature_evens_out_and_a_lower_one_sharpens() -> None:
    hot, plain, cold = (draws(Sampling(t, seed=1)).count(1) for t in (5.0, 1.0, 0.3))
    assert hot < plain < cold


@pytest.mark.parametrize(
    ("top_p", "tokens"), [(0.0, {1}), (0.39, {1}), (0.5, {1, 3}), (0.85, {1, 2, 3})]
)
def test_top_p_keeps_the_fewest_tokens_that_reach_it(top_p: float, tokens: set[int]) -> None:
    assert set(draws(Sampling(top_p=top_p, seed=1))) == tokens


def test_min_p_drops_tokens_far_below_the_likeliest() -> None:
    assert set(draws(Sampling(min_p=0.6, seed=1))) == {1, 3}


def test_a_repetition_penalty_makes_room_for_tokens_that_did_not_come_yet() -> None:
    sampler = Sampler(Sampling(temperature=0, repetition_penalty=1.5), CPU)
    assert [sampler(LOGITS) for _ in range(4)] == [1, 3, 1, 1]
    positive = LOGITS + 5
    sampler = Sampler(Sampling(temperature=0, repetition_penalty=2.0), CPU)
    assert [sampler(positive) for _ in range(3)] == [1, 3, 2]


@pytest.mark.parametrize("penalty", [0.01, 2.0])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_strongest_penalties_leave_a_token_to_draw(
    penalty: float, dtype: "torch.dtype"
) -> None:
    logits = torch.tensor([6e4, -6e4, 1.0, 0.0], dtype=dtype)
    sampler = Sampler(Sampling(temperature=2e-5, top_p=0.9, repetition_penalty=penalty), CPU)
    assert {sampler(logits) for _ in range(20)} <= {0, 1, 2, 3}


def test_the_same_seed_draws_the_same_tokens_and_another_seed_others() -> None:
    assert draws(Sampling(seed=7)) == draws(Sampling(seed=7))
    assert draws(Sampling(seed=7)) != draws(Sampling(seed=8))


def test_without_a_seed_every_sequence_draws_its_own_tokens() -> None:
    assert draws(Sampling()) != draws(Sampling())
