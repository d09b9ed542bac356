"""The engine loop, on a tiny random Llama and a tiny random gpt-oss with a window of 8 tokens."""

import random
from collections import deque
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from bot.inference.engines import EngineError  # noqa: E402
from bot.inference.engines.base import Sampling, Sequence  # noqa: E402
from bot.inference.engines.causal import Abandoned, CausalEngine  # noqa: E402
from bot.inference.engines.transformers import TransformersModel, load_checkpoint  # noqa: E402
from tests.inference.engines.tiny_models import VOCABULARY, save_gpt_oss, save_llama  # noqa: E402
from tests.inference.masks import mask_of  # noqa: E402

CPU = torch.device("cpu")
GREEDY = Sampling(temperature=0)


@pytest.fixture(scope="module", params=[save_llama, save_gpt_oss], ids=["llama", "gpt-oss"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    folder = request.param(tmp_path_factory.mktemp("model"))
    model = TransformersModel(folder, CPU)
    model.chunk = 16  # so that short prompts take several steps
    return model


def prompt_of(length: int, seed: int = 0) -> list[int]:
    return random.Random(seed).choices(range(VOCABULARY), k=length)


def finish(engine: CausalEngine, sequence: Sequence, tokens: int = 12) -> list[int]:
    """The first `tokens` that `sequence` produces, alone in the engine."""
    engine.admit(sequence)
    answer: list[int] = []
    while len(answer) < tokens:
        answer += [token for _, token in engine.step()]
    engine.release(sequence)
    return answer


def cold(model: TransformersModel, prompt: list[int], sampling: Sampling = GREEDY) -> list[int]:
    return finish(CausalEngine(model, slots=1), Sequence(prompt, sampling))


def test_greedy_answers_are_those_of_generate(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(save_gpt_oss(tmp_path), CPU)
    prompt = prompt_of(40)
    expected = checkpoint.generate(
        torch.tensor([prompt]), do_sample=False, min_new_tokens=12, max_new_tokens=12
    )
    assert cold(TransformersModel(tmp_path, CPU), prompt) == expected[0, 40:].tolist()


def test_a_step_prefills_one_chunk_and_the_last_chunk_gives_the_first_token(model) -> None:
    engine = CausalEngine(model, slots=1)
    engine.admit(Sequence(prompt_of(40), GREEDY))
    assert [len(engine.step()) for _ in range(4)] == [0, 0, 1, 1]


def test_the_next_turn_reuses_the_last_ones_tokens_and_answers_as_if_cold(model) -> None:
    engine = CausalEngine(model, slots=1)
    first = prompt_of(30)
    answer = finish(engine, Sequence(first, GREEDY))
    second = Sequence([*first, *answer, *prompt_of(10, seed=1)], GREEDY)
    assert finish(engine, second) == cold(model, second.prompt)
    assert second.cached_tokens == len(first) + len(answer) - 1  # the last was never fed


def test_another_salt_reuses_nothing(model) -> None:
    engine = CausalEngine(model, slots=1)
    reused = []
    for salt in ("a", "b", "a"):
        sequence = Sequence(prompt_of(20), GREEDY, cache_salt=salt)
        finish(engine, sequence, 1)
        reused.append(sequence.cached_tokens)
    assert reused == [0, 0, 19]


def test_a_sequence_that_is_abandoned_gets_no_further_and_leaves_a_sound_prefix(model) -> None:
    engine = CausalEngine(model, slots=1)
    left = Sequence(prompt_of(40), GREEDY)
    engine.admit(left)
    assert engine.step() == []
    left.abandoned = True
    assert [engine.step() for _ in range(5)] == [[]] * 5
    engine.release(left)
    again = Sequence(left.prompt, GREEDY)
    assert finish(engine, again) == cold(model, left.prompt)
    assert again.cached_tokens == 16


@pytest.mark.parametrize("layers", [0, 1])
@pytest.mark.parametrize("seen", [0, 20])
def test_a_forward_pass_that_is_abandoned_midway_leaves_the_sequence_as_it_was(
    model, layers: int, seen: int
) -> None:
    prompt = prompt_of(40)
    cache, whole = model.new_cache(), model.new_cache()
    going_on = iter([False] * layers + [True])
    with torch.inference_mode():
        for each in (cache, whole) if seen else ():
            model.forward(prompt[:seen], each)
        with pytest.raises(Abandoned):
            model.forward(prompt[seen:], cache, lambda: next(going_on))
        logits = model.forward(prompt[seen:], cache)
        assert torch.equal(logits, model.forward(prompt[seen:], whole))


def test_a_turn_that_leaves_the_last_one_midway_reuses_what_is_right(model) -> None:
    engine = CausalEngine(model, slots=1)
    first = prompt_of(40)
    finish(engine, Sequence(first, GREEDY))
    edited = Sequence([*first[:25], *prompt_of(15, seed=2)], GREEDY)
    assert finish(engine, edited) == cold(model, edited.prompt)
    assert edited.cached_tokens == 25
    again = Sequence(first, GREEDY)  # what was edited away is still there
    assert finish(engine, again) == cold(model, first)
    assert again.cached_tokens == 39


def test_several_sequences_at_once_answer_as_each_alone(model) -> None:
    engine = CausalEngine(model, slots=3)
    sequences = [Sequence(prompt_of(n, seed=n), GREEDY) for n in (5, 40, 20)]
    for sequence in sequences:
        engine.admit(sequence)
    answers: dict[Sequence, list[int]] = {sequence: [] for sequence in sequences}
    while min(map(len, answers.values())) < 12:
        for sequence, token in engine.step():
            answers[sequence].append(token)
    assert [answers[s][:12] for s in sequences] == [cold(model, s.prompt) for s in sequences]


def test_a_sequence_released_in_mid_prefill_leaves_a_clean_engine(model) -> None:
    engine = CausalEngine(model, slots=1)
    cancelled = Sequence(prompt_of(40), GREEDY)
    engine.admit(cancelled)
    engine.step()
    engine.release(cancelled)
    assert engine.step() == []
    again = Sequence(cancelled.prompt, GREEDY)
    assert finish(engine, again) == cold(model, cancelled.prompt)
    assert again.cached_tokens == 16


def test_forced_tokens_are_reported_and_seen_by_the_model(model) -> None:
    prompt, forced = prompt_of(20), [3, 1, 4]
    answer = finish(
        CausalEngine(model, slots=1), Sequence(prompt, GREEDY, deque(forced)), tokens=10
    )
    assert answer[:3] == forced
    assert answer[3:] == cold(model, prompt + forced)[:7]


def test_a_seed_makes_an_answer_repeatable_whatever_ran_before(model) -> None:
    engine = CausalEngine(model, slots=1)
    prompt, sampling = prompt_of(20), Sampling(temperature=1.0, top_p=0.95, seed=5)
    first = finish(engine, Sequence(prompt, sampling))
    finish(engine, Sequence(prompt_of(9, seed=3), Sampling()))
    assert finish(engine, Sequence(prompt, sampling)) == first
    assert finish(engine, Sequence(prompt, Sampling(temperature=1.0, top_p=0.95, seed=6))) != first


def test_after_running_out_of_memory_the_engine_is_fit_for_other_sequences(
    model, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = CausalEngine(model, slots=1)
    forward, prompt = model.forward, prompt_of(40)

    def run_out_of_memory(tokens: list[int], cache: object, abandoned: object) -> None:
        forward(tokens, cache)
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried too much")

    sequence = Sequence(prompt, GREEDY)
    engine.admit(sequence)
    engine.step()
    with monkeypatch.context() as patch:
        patch.setattr(model, "forward", run_out_of_memory)
        with pytest.raises(EngineError, match=r"a sequence of 32 tokens: .* out of memory"):
            engine.step()
    engine.release(sequence)
    assert finish(engine, Sequence(prompt, GREEDY)) == cold(model, prompt)


def test_the_context_is_the_models_unless_less_is_asked_for(model) -> None:
    assert CausalEngine(model, slots=1).context == 256
    assert CausalEngine(model, slots=1, context=100).context == 100
    assert CausalEngine(model, slots=1, context=999).context == 256


def test_a_seed_gives_the_same_answer_from_a_cold_cache_and_from_a_warm_one(model) -> None:
    engine = CausalEngine(model, slots=1)
    sampling = Sampling(temperature=0.7, seed=311)
    answers = []
    for other in range(1, 4):
        answers.append(finish(engine, Sequence(prompt_of(40), sampling)))
        finish(engine, Sequence(prompt_of(30) + prompt_of(10, seed=other)))
    again = Sequence(prompt_of(40), sampling)
    answers.append(finish(engine, again))
    assert again.cached_tokens == 0
    assert answers == [cold(model, prompt_of(40), sampling)] * 4


@pytest.mark.parametrize("sampling", [GREEDY, Sampling(temperature=1.0, top_p=0.9, min_p=0.1)])
def test_only_tokens_of_the_mask_are_drawn_and_forced_ones_are_not_asked_about(
    model, sampling: Sampling
) -> None:
    allowed = mask_of([3, 5], VOCABULARY)
    masks = iter([allowed, None, allowed])
    sequence = Sequence(prompt_of(20), sampling, deque([7]), mask=lambda: next(masks))
    answer = finish(CausalEngine(model, slots=1), sequence, tokens=4)
    assert answer[0] == 7
    assert {answer[1], answer[3]} <= {3, 5}


def test_logits_beyond_the_tokenizers_vocabulary_are_never_drawn(model) -> None:
    allowed = mask_of([3, 5], VOCABULARY // 3)
    sequence = Sequence(prompt_of(20), Sampling(temperature=1.0), mask=lambda: allowed)
    assert set(finish(CausalEngine(model, slots=1), sequence, tokens=4)) <= {3, 5}
