"""The engine on the tiny model, and driven any way there is on a model that forgets nothing."""

from collections import deque
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from numpy.typing import NDArray

from bot.inference.engines.base import Sampling, Sequence
from bot.inference.engines.gptoss.engine import GptOssEngine
from bot.inference.engines.gptoss.model import PAGE
from tests.inference.engines.gptoss.remembering import VOCABULARY, RememberingModel, answer
from tests.inference.engines.gptoss.tiny import Tiny, prompt_of
from tests.inference.masks import mask_of

GREEDY = Sampling(temperature=0)


def finish(engine: GptOssEngine, sequence: Sequence, tokens: int = 5) -> list[int]:
    """The first `tokens` that `sequence` produces, alone in the engine."""
    engine.admit(sequence)
    produced: list[int] = []
    while len(produced) < tokens:
        produced += [token for _, token in engine.step()]
    engine.release(sequence)
    return produced


def remembering(slots: int = 1, *, context: int = 256, pages: int = 20) -> GptOssEngine:
    return GptOssEngine(RememberingModel(context, pages), slots, chunk=48)


def test_greedy_answers_are_those_of_transformers_and_so_is_the_next_turn(tiny: Tiny) -> None:
    engine = GptOssEngine(tiny.model(), slots=1, chunk=64)
    prompt = prompt_of(PAGE)
    first = finish(engine, Sequence(prompt, GREEDY), 2)
    assert first == tiny.greedy(prompt, 2)
    second = Sequence([*prompt, *first, *prompt_of(13, seed=1)], GREEDY)
    assert finish(engine, second, 1) == tiny.greedy(second.prompt, 1)
    assert second.cached_tokens == PAGE


@pytest.mark.slow  # the interpreter takes half a minute
def test_sequences_at_once_answer_as_each_alone(tiny: Tiny) -> None:
    engine = GptOssEngine(tiny.model(), slots=2)
    sequences = [Sequence(prompt_of(n, seed=n), GREEDY) for n in (49, 33)]
    answers: dict[Sequence, list[int]] = {sequence: [] for sequence in sequences}
    for sequence in sequences:
        engine.admit(sequence)
    while min(map(len, answers.values())) < 2:
        for sequence, token in engine.step():
            answers[sequence].append(token)
    for sequence in sequences:
        assert answers[sequence][:2] == tiny.greedy(sequence.prompt, 2)


def test_a_step_prefills_one_chunk_and_a_token_is_reported_a_step_after_its_pass() -> None:
    engine = remembering()
    engine.admit(Sequence(prompt_of(100), GREEDY))
    assert [len(engine.step()) for _ in range(5)] == [0, 0, 0, 1, 1]


def test_waiting_prompts_are_read_in_one_step_as_far_as_a_chunk_goes() -> None:
    engine = remembering(slots=4)
    sequences = [Sequence(prompt_of(length, seed=length), GREEDY) for length in (15, 14, 25, 9)]
    for sequence in sequences:
        engine.admit(sequence)
    steps = [engine.step() for _ in range(5)]
    produced = [[sequences.index(sequence) for sequence, _ in step] for step in steps]
    assert produced == [[], [0, 1], [0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3]]
    for sequence in sequences:
        tokens = [token for step in steps for came, token in step if came is sequence]
        assert tokens == answer(sequence.prompt, len(tokens))


def test_a_prompt_that_nobody_waits_for_is_read_no_further() -> None:
    engine = remembering(slots=2)
    left = Sequence(prompt_of(100), GREEDY)
    engine.admit(left)
    assert engine.step() == []
    left.abandoned = True
    assert [engine.step() for _ in range(5)] == [[]] * 5
    engine.release(left)
    again = Sequence(left.prompt, GREEDY)
    assert finish(engine, again) == answer(left.prompt, 5)
    assert again.cached_tokens == 32


def test_another_conversation_with_the_same_beginning_reuses_it() -> None:
    engine = remembering()
    persona = prompt_of(70)
    finish(engine, Sequence([*persona, 1, 2, 3], GREEDY))
    other = Sequence([*persona, 4, 5], GREEDY)
    assert finish(engine, other) == answer(other.prompt, 5)
    assert other.cached_tokens == 64


def test_another_salt_reuses_nothing() -> None:
    engine = remembering()
    reused = []
    for salt in ("a", "b", None, "a"):
        sequence = Sequence(prompt_of(70), GREEDY, cache_salt=salt)
        assert finish(engine, sequence) == answer(sequence.prompt, 5)
        reused.append(sequence.cached_tokens)
    assert reused == [0, 0, 0, 64]


def test_a_prompt_known_in_full_is_computed_from_its_last_page() -> None:
    engine = remembering()
    prompt = prompt_of(64)
    finish(engine, Sequence(prompt, GREEDY))
    again = Sequence(prompt, GREEDY)
    assert finish(engine, again) == answer(prompt, 5)
    assert again.cached_tokens == 32


def test_forced_tokens_are_reported_and_seen_by_the_model() -> None:
    prompt, forced = prompt_of(20), [3, 1, 4]
    produced = finish(remembering(), Sequence(prompt, GREEDY, deque(forced)), 6)
    assert produced[:3] == forced
    assert produced[3:] == answer([*prompt, *forced], 3)


def test_tokens_forced_in_mid_answer_come_next() -> None:
    engine, sequence = remembering(), Sequence(prompt_of(20), GREEDY)
    engine.admit(sequence)
    produced: list[int] = []
    while len(produced) < 6:
        produced += [token for _, token in engine.step()]
        if len(produced) == 2 and not sequence.forced:
            sequence.forced.append(7)
    assert produced[:2] == answer(sequence.prompt, 2)
    assert produced[2:] == [7, *answer([*sequence.prompt, *produced[:2], 7], 3)]


def test_only_tokens_of_the_mask_are_drawn_and_it_knows_all_tokens_before() -> None:
    """Beside one that is free, and after it in the same slot."""
    engine = remembering(slots=2)
    free, held = (Sequence(prompt_of(n, seed=n), GREEDY) for n in (49, 33))
    produced: dict[Sequence, list[int]] = {free: [], held: []}

    def successor() -> NDArray[np.int32] | None:
        tokens = produced[held]
        return (
            mask_of([(tokens[-1] + 1) % VOCABULARY, 31], VOCABULARY)
            if len(tokens) in range(1, 9)
            else None
        )

    held.mask = successor
    for sequence in produced:
        engine.admit(sequence)
    while min(map(len, produced.values())) < 12:
        for sequence, token in engine.step():
            produced[sequence].append(token)
    assert produced[free] == answer(free.prompt, len(produced[free]))
    tokens = produced[held]
    for before, token in pairwise(tokens[:9]):
        assert token in ((before + 1) % VOCABULARY, 31)
    assert tokens[9:] == answer(held.prompt + tokens[:9], len(tokens) - 9)
    engine.release(held)
    after = Sequence(prompt_of(20), GREEDY)
    engine.admit(after)
    produced[after] = []
    while len(produced[after]) < 3:
        for sequence, token in engine.step():
            produced[sequence].append(token)
    assert produced[after] == answer(after.prompt, 3)


def test_a_sequence_that_ends_under_a_mask_leaves_its_slot_free() -> None:
    engine = remembering()
    held = Sequence(prompt_of(20), GREEDY, mask=lambda: mask_of([3], VOCABULARY))
    assert finish(engine, held, 3) == [3, 3, 3]
    assert finish(engine, Sequence(prompt_of(30), GREEDY)) == answer(prompt_of(30), 5)


def test_the_same_seed_gives_the_same_tokens_and_another_seed_others() -> None:
    def drawn(seed: int) -> list[int]:
        return finish(remembering(), Sequence(prompt_of(10), Sampling(seed=seed)), 12)

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_a_sequence_too_large_for_the_pages_left_waits_for_them() -> None:
    engine = remembering(slots=2, pages=8)
    first, second = Sequence(prompt_of(150), GREEDY), Sequence(prompt_of(120, seed=1), GREEDY)
    engine.admit(first)
    engine.admit(second)
    for _ in range(12):
        assert all(sequence is first for sequence, _ in engine.step())
    engine.release(first)
    produced: list[int] = []
    while len(produced) < 4:
        produced += [token for sequence, token in engine.step() if sequence is second]
    assert produced == answer(second.prompt, 4)


def test_a_sequence_that_gave_up_its_pages_goes_on_as_if_it_had_not() -> None:
    engine = remembering(slots=2, pages=6)
    sequences = [Sequence(prompt_of(60, seed=seed), Sampling(seed=seed)) for seed in (1, 2)]
    alone = [finish(remembering(), Sequence(s.prompt, s.sampling), 20) for s in sequences]
    produced: dict[Sequence, list[int]] = {sequence: [] for sequence in sequences}
    for sequence in sequences:
        engine.admit(sequence)
    running = list(sequences)
    while running:
        for sequence, token in engine.step():
            produced[sequence].append(token)
            if len(produced[sequence]) == 20:
                engine.release(sequence)
                running.remove(sequence)
    assert [produced[sequence] for sequence in sequences] == alone


class Machine(RuleBasedStateMachine):
    """Admissions, cancellations and steps in any order, with pages for about two sequences."""

    slots = 3

    def __init__(self) -> None:
        super().__init__()
        self.engine = remembering(self.slots, context=128, pages=9)
        self.running: dict[Sequence, list[int]] = {}
        self.histories: list[list[int]] = [[]]

    @precondition(lambda self: len(self.running) < self.slots)
    @rule(data=st.data(), length=st.integers(1, 70), seed=st.integers(0, 3))
    def admit(self, data: st.DataObject, length: int, seed: int) -> None:
        """A new conversation, or one that goes on from an older one."""
        history = data.draw(st.sampled_from(self.histories))
        prompt = ([*history, *prompt_of(length, seed)])[:100]
        prompt = [token % 50 for token in prompt]
        sequence = Sequence(prompt, GREEDY)
        self.running[sequence] = []
        self.engine.admit(sequence)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        sequence = data.draw(st.sampled_from(list(self.running)))
        produced = self.running.pop(sequence)
        self.histories.append(sequence.prompt + produced)
        self.engine.release(sequence)

    @rule(steps=st.integers(1, 12))
    def step(self, steps: int) -> None:
        for _ in range(steps):
            for sequence, token in self.engine.step():
                self.running[sequence].append(token)
            for sequence in [s for s, p in self.running.items() if len(s.prompt + p) >= 127]:
                self.histories.append(sequence.prompt)
                del self.running[sequence]
                self.engine.release(sequence)

    @invariant()
    def tokens_are_those_of_each_alone(self) -> None:
        for sequence, produced in self.running.items():
            assert produced == answer(sequence.prompt, len(produced))


Machine.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
TestMachine = Machine.TestCase
