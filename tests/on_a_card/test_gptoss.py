"""The gpt-oss engine at gpt-oss-20b's true shape, on a CUDA card, with random weights.

Not for CI, which has no card; it takes some minutes and 130 GB of the card's memory:

    TRITON_INTERPRET=0 python -m pytest tests/on_a_card

With `--as 8.0` it runs the kernels that an older card would get.
"""

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import GptOssConfig

from bot.inference.engines import load_engine
from bot.inference.engines.base import Engine, Sampling, Sequence
from bot.inference.engines.gptoss.chunk import Chunk, Part
from bot.inference.engines.gptoss.config import read_config
from bot.inference.engines.gptoss.kernels.fragments import INTERPRETED
from bot.inference.engines.gptoss.model import PAGE, Model
from bot.inference.engines.gptoss.synthetic import write_checkpoint
from bot.inference.engines.gptoss.weights import load_weights
from tests.inference.masks import mask_of
from tests.on_a_card.reference import Choices, Reference, recorded

pytestmark = pytest.mark.skipif(
    INTERPRETED.value or not torch.cuda.is_available(), reason="needs a CUDA card"
)
CARD = torch.device("cuda")
LENGTHS = (128, 2048, 8192)
BATCHES = (1, 4, 8, 32)
CHUNK = 5120
VOCABULARY = 201_088
SLACK = 1.2
"""How much farther from float32 than transformers' bfloat16 the engine may be."""


@dataclass(frozen=True)
class Answer:
    """Logits [vocabulary] of a row, and the experts that led to them."""

    logits: Tensor
    choices: Choices


class Ours:
    """The engine's model and three prompts in its cache."""

    def __init__(self, model: Model, tokens: Tensor, lengths: tuple[int, ...]) -> None:
        self.tokens, self.lengths = tokens, lengths
        self._model = model
        counts = [length // PAGE + 1 for length in lengths]
        pages = torch.arange(1, 1 + sum(counts), dtype=torch.int32, device=model.device)
        self._pages = pages.split(counts)
        shape = (max(BATCHES), 4 * (max(counts) // 4 + 1))
        self._tables = torch.zeros(shape, dtype=torch.int32, device=model.device)
        self.prompts = [self._prefill(i) for i in range(len(lengths))]

    def _prefill(self, which: int) -> Answer:
        self._place(0, which)
        parts = []
        for begin in range(0, self.lengths[which], CHUNK):
            end = min(begin + CHUNK, self.lengths[which])
            part = Part(self.tokens[begin:end].tolist(), begin, 0)
            chunk = Chunk(end - begin, 1, self.tokens.device).fill([part], filler=0)
            with recorded(self._model) as choices:
                logits = self._model.prefill(chunk, self._tables)
            parts.append(choices)
        whole = [torch.cat(of_layer) for of_layer in zip(*parts, strict=True)]
        return Answer(logits[0].float(), whole)

    def decode(self, batch: int) -> list[Answer]:
        """One token of `batch` rows, whose prompts are the three in turn."""
        step = self.step(batch)
        with recorded(self._model) as choices:
            logits = step()
        return [
            Answer(logits[row].float(), [chosen[row : row + 1] for chosen in choices])
            for row in range(batch)
        ]

    def step(self, batch: int) -> Callable[[], Tensor]:
        """What decodes a batch and returns its logits."""
        which = [row % len(self.lengths) for row in range(batch)]
        for row, prompt in enumerate(which):
            self._place(row, prompt)
        device = self._model.device
        positions = torch.tensor([self.lengths[i] for i in which], dtype=torch.int32, device=device)
        slots = torch.arange(batch, dtype=torch.int32, device=device)
        tokens, attention = self.tokens[positions], self._model.attention_for(batch)
        arguments = (tokens, positions, slots, self._tables, attention)
        return lambda: self._model.decode(*arguments)

    def _place(self, slot: int, which: int) -> None:
        self._tables[slot, : len(self._pages[which])] = self._pages[which]


@dataclass(frozen=True)
class Compared:
    """A row's logits and their errors, and the reference's own in bfloat16."""

    name: str
    logits: Tensor
    exact: Tensor
    rounded: Tensor

    @property
    def error(self) -> float:
        return float((self.logits - self.exact).norm() / self.exact.norm())

    @property
    def allowed(self) -> float:
        return SLACK * float((self.rounded - self.exact).norm() / self.exact.norm())

    @property
    def token_differs_too_far(self) -> bool:
        """Its likeliest token is another one, though the error can't have swapped the two."""
        gap = self.exact.max() - self.exact[self.logits.argmax()]
        return bool(gap > 2 * (self.logits - self.exact).abs().max())


@dataclass(frozen=True)
class Routed:
    """In a prompt's layer: how far below the best it left out the engine's worst choice scores."""

    shortfall: float
    error: float
    """The greatest one of the reference's own scores in bfloat16."""


def compare(ours: Ours, folder: Path, config: GptOssConfig) -> tuple[list[Compared], list[Routed]]:
    rows = [(i, f"prompt of {ours.lengths[i]}", answer) for i, answer in enumerate(ours.prompts)]
    for batch in BATCHES:
        for row, answer in enumerate(ours.decode(batch)):
            if row < 3 or row == batch - 1:
                which = row % len(ours.lengths)
                rows.append((which, f"row {row} of {batch} after {ours.lengths[which]}", answer))
    results = []
    for dtype in (torch.float32, torch.bfloat16):
        reference = Reference(folder, config, dtype, ours.tokens.device)
        prompts = [
            reference.prompt(ours.tokens[:length], answer.choices)
            for length, answer in zip(ours.lengths, ours.prompts, strict=True)
        ]
        logits = []
        for which, name, answer in rows:
            prompt, length = prompts[which], ours.lengths[which]
            if name.startswith("prompt"):
                logits.append(prompt.logits)
            else:
                token = ours.tokens[length : length + 1]
                logits.append(reference.after(prompt, token, answer.choices))
        results.append((logits, [prompt.scores for prompt in prompts]))
        del reference, prompts
        gc.collect()  # the model's hooks and the reference hold each other
        if ours.tokens.is_cuda:
            torch.cuda.empty_cache()
    (exact, exact_scores), (rounded, rounded_scores) = results
    compared = [
        Compared(name, answer.logits, a, b)
        for (_, name, answer), a, b in zip(rows, exact, rounded, strict=True)
    ]
    routed = []
    for answer, of_prompt, about in zip(ours.prompts, exact_scores, rounded_scores, strict=True):
        for chosen, scores, near in zip(answer.choices, of_prompt, about, strict=True):
            worst = scores.gather(1, chosen).amin(1)
            best_left_out = scores.scatter(1, chosen, float("-inf")).amax(1)
            shortfall = (best_left_out - worst).max()
            routed.append(Routed(float(shortfall), float((near - scores).abs().max())))
    return compared, routed


@pytest.fixture(scope="module", autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = GptOssConfig(num_hidden_layers=24, num_local_experts=32)
    return write_checkpoint(tmp_path_factory.mktemp("gpt-oss-20b"), config, device=CARD)


@pytest.fixture(scope="module", params=["int8", "exact"])
def ours(folder: Path, request: pytest.FixtureRequest) -> Ours:
    config = read_config(folder)
    int8 = request.param == "int8"
    weights = load_weights(folder, config, CARD, torch.bfloat16, lambda share: None, int8=int8)
    context = max(LENGTHS) + PAGE
    model = Model(config, weights, context, pages=sum(LENGTHS) // PAGE + 8)
    generator = torch.Generator(CARD).manual_seed(1)
    tokens = torch.randint(
        config.vocab_size, (context,), generator=generator, device=CARD, dtype=torch.int32
    )
    return Ours(model, tokens, LENGTHS)


@pytest.fixture(scope="module")
def comparison(ours: Ours, folder: Path) -> tuple[list[Compared], list[Routed]]:
    return compare(ours, folder, GptOssConfig.from_pretrained(folder))


def test_logits_are_about_as_near_to_float32_as_those_of_transformers_in_bfloat16(
    comparison: tuple[list[Compared], list[Routed]], record_property: Callable[[str, str], None]
) -> None:
    for row in comparison[0]:
        record_property(row.name, f"{row.error:.5f}, at most {row.allowed:.5f}")
    assert [row.name for row in comparison[0] if not row.error <= row.allowed] == []


def test_the_likeliest_tokens_are_those_of_float32_but_for_ties_within_the_error(
    comparison: tuple[list[Compared], list[Routed]],
) -> None:
    assert [row.name for row in comparison[0] if row.token_differs_too_far] == []


def test_experts_are_those_of_float32_but_for_ties_within_the_error_of_bfloat16(
    comparison: tuple[list[Compared], list[Routed]],
) -> None:
    assert [layer for layer in comparison[1] if layer.shortfall > 2 * layer.error] == []


@pytest.mark.parametrize("batch", BATCHES)
def test_a_thousand_replays_of_a_step_are_equal(ours: Ours, batch: int) -> None:
    step = ours.step(batch)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        step()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            logits = step()
        graph.replay()
        first = logits.clone()
        differing = torch.zeros((), device=CARD)
        for _ in range(1000):
            graph.replay()
            differing += (logits != first).any()
        assert int(differing) == 0


def engine_of(folder: Path, slots: int, weights: str) -> Engine:
    return load_engine(
        folder,
        device="cuda",
        engine="gptoss",
        slots=slots,
        context=1024,
        weights=weights,
        progress=lambda *stage: None,
    )


class Held:
    """An answer's mask, other tokens at each step, or all at every `free`-th; remembers them."""

    def __init__(self, row: int, free: int) -> None:
        self.steps: list[set[int]] = []
        self._row = row
        self._free = free

    def __call__(self) -> NDArray[np.int32] | None:
        step = len(self.steps)
        tokens = {(7919 * self._row + 104729 * step + 31 * i) % VOCABULARY for i in range(3)}
        self.steps.append(set() if step % self._free == 0 else tokens)
        return mask_of(self.steps[-1], VOCABULARY) if self.steps[-1] else None


@pytest.mark.parametrize("weights", ["exact", "int8"])
def test_each_of_eight_answers_is_held_to_the_masks_of_its_own_steps(
    folder: Path, weights: str
) -> None:
    engine = engine_of(folder, slots=8, weights=weights)
    held = [Held(row, free=1 if row == 7 else row + 2) for row in range(8)]
    answers: dict[int, list[int]] = {}
    for row, mask in enumerate(held):
        sequence = Sequence(list(range(40 + row)), Sampling(temperature=1.0, seed=row), mask=mask)
        engine.admit(sequence)
        answers[id(sequence)] = []
    while min(map(len, answers.values())) < 64:
        for sequence, token in engine.step():
            answers[id(sequence)].append(token)
    engine.close()
    for mask, answer in zip(held, answers.values(), strict=True):
        for tokens, token in zip(mask.steps, answer, strict=False):
            assert token in tokens or not tokens
    assert len(set(answer)) > 32  # the last one's, which is free


@pytest.mark.parametrize("weights", ["exact", "int8"])
def test_the_same_seed_gives_the_same_tokens_in_another_engine(folder: Path, weights: str) -> None:
    answers = []
    for _ in range(2):
        engine = engine_of(folder, slots=1, weights=weights)
        sequence = Sequence(list(range(300)), Sampling(temperature=1.0, top_p=0.95, seed=7))
        engine.admit(sequence)
        answer: list[int] = []
        while len(answer) < 256:
            answer += [token for _, token in engine.step()]
        engine.close()
        answers.append(answer)
    assert answers[0] == answers[1]
