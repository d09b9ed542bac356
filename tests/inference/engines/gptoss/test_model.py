"""The whole forward pass beside transformers' GptOssForCausalLM in float32."""

import pytest
import torch

from bot.inference.engines import EngineError
from bot.inference.engines.base import Abandoned
from bot.inference.engines.gptoss.chunk import Chunk, Part
from bot.inference.engines.gptoss.config import read_config
from bot.inference.engines.gptoss.model import Model
from bot.inference.engines.gptoss.weights import load_weights
from tests.inference.engines.gptoss.tiny import CPU, Tiny, assert_close, prompt_of

TABLES = torch.tensor([[3, 1, 4, 6, 5], [8, 2, 9, 7, 10], [0] * 5], dtype=torch.int32)
FILLER = 2
HALF = 1e-3
"""One row's experts have inputs in float16."""


def chunk_of(*parts: Part, filled_up: int = 3) -> Chunk:
    rows = sum(len(part.tokens) for part in parts) + filled_up
    return Chunk(rows, len(parts), CPU).fill([*parts], FILLER)


def integers(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int32)


def test_a_prompt_in_chunks_and_tokens_after_it_across_windows_and_pages(tiny: Tiny) -> None:
    model, tokens = tiny.model(), prompt_of(40)
    expected = tiny.logits(tokens)
    for begin, end in ((0, 20), (20, 39)):
        logits = model.prefill(chunk_of(Part(tokens[begin:end], begin, 0)), TABLES)
        assert_close(logits[0], expected[end - 1])
    logits = model.decode(
        integers(tokens[39]), integers(39), integers(0), TABLES, model.attention_for(1)
    )
    assert_close(logits[0], expected[39], HALF)


@pytest.fixture(scope="module")
def prefilled(tiny: Tiny) -> tuple[Model, list[list[int]]]:
    """A model with all but the last token of two prompts in its cache, in slots 0 and 1."""
    model = tiny.model()
    prompts = [prompt_of(12, seed=1), prompt_of(37, seed=2)]
    with torch.inference_mode():
        parts = [Part(prompt[:-1], 0, slot) for slot, prompt in enumerate(prompts)]
        model.prefill(chunk_of(*parts), TABLES)
    return model, prompts


def test_parts_of_several_prompts_read_in_one_pass_are_each_of_them_alone(tiny: Tiny) -> None:
    model = tiny.model()
    long, short = prompt_of(36, seed=1), prompt_of(9, seed=2)
    begun = model.prefill(chunk_of(Part(long[:20], 0, 0), filled_up=0), TABLES)
    assert_close(begun[0], tiny.logits(long)[19])
    logits = model.prefill(chunk_of(Part(long[20:], 20, 0), Part(short, 0, 1), filled_up=8), TABLES)
    assert_close(logits[0], tiny.logits(long)[-1])
    assert_close(logits[1], tiny.logits(short)[-1])


def test_a_long_chunk_ends_when_nobody_waits_for_it(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.inference.engines.gptoss.model.LONG", 16)
    asked: list[int] = []
    chunk = chunk_of(Part([1], 0, 0), filled_up=15)

    def abandoned() -> bool:
        asked.append(1)
        return True

    with pytest.raises(Abandoned):
        tiny.model().prefill(chunk, TABLES, abandoned)
    assert asked == [1]


class Marks:
    """In place of CUDA's events: the GPU comes to each of `made` when it was asked `away` times."""

    def __init__(self, away: int) -> None:
        self.away = away
        self.made: list[int] = []
        """How often each was asked for."""

    def __call__(self) -> "Marks":
        self.made.append(0)
        return self

    def record(self) -> None: ...

    def query(self) -> bool:
        self.made[-1] += 1
        return self.made[-1] > self.away


@pytest.fixture
def on_a_gpu(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> Model:
    """A model that waits in each layer of a long chunk until the GPU is there."""
    monkeypatch.setattr("bot.inference.engines.gptoss.model.LONG", 16)
    monkeypatch.setattr("bot.inference.engines.gptoss.model.LAYERS_AHEAD", 0)
    model = tiny.model()
    model.device = torch.device("cuda")
    return model


def test_the_host_waits_until_the_gpu_is_near(
    on_a_gpu: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = Marks(away=3)
    monkeypatch.setattr(torch.cuda, "Event", marks)
    chunk = chunk_of(Part([1], 0, 0), filled_up=15)
    with pytest.raises(Abandoned):
        on_a_gpu.prefill(chunk, TABLES, lambda: len(marks.made) == 2)  # in the second layer
    assert marks.made == [4, 0]


def test_a_long_chunk_is_cancelled_while_the_gpu_is_in_a_layer(
    on_a_gpu: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = Marks(away=1000)
    monkeypatch.setattr(torch.cuda, "Event", marks)
    chunk = chunk_of(Part([1] * 16, 0, 0), filled_up=0)
    with pytest.raises(Abandoned):
        on_a_gpu.prefill(chunk, TABLES, lambda: marks.made == [5])
    assert not chunk.blocks.any()


@pytest.mark.parametrize("rows", [2, 5])
def test_a_batch_of_unlike_lengths_is_each_of_them_alone(
    tiny: Tiny, prefilled: tuple[Model, list[list[int]]], rows: int
) -> None:
    model, prompts = prefilled
    slots = [0, 1, 1, 0, 1][:rows]  # the same sequence twice gives the same twice
    logits = model.decode(
        integers(*(prompts[slot][-1] for slot in slots)),
        integers(*(len(prompts[slot]) - 1 for slot in slots)),
        integers(*slots),
        TABLES,
        model.attention_for(rows),
    )
    for row, slot in zip(logits, slots, strict=True):
        assert_close(row, tiny.logits(prompts[slot])[-1], HALF)


def test_a_checkpoint_that_lacks_a_tensor_is_one_line(tiny: Tiny, tmp_path) -> None:
    for file in tiny.folder.iterdir():
        if file.name != "rest.safetensors":
            (tmp_path / file.name).symlink_to(file)
    with pytest.raises(EngineError, match=r"^.* isn't a complete gpt-oss checkpoint: .*lm_head"):
        load_weights(tmp_path, read_config(tmp_path), CPU, torch.float32, lambda share: None)


def test_loading_tells_how_far_it_is(tiny: Tiny) -> None:
    shares: list[float] = []
    load_weights(tiny.folder, tiny.config, CPU, torch.float32, shares.append)
    assert shares == sorted(shares)
    assert len(shares) == tiny.config.num_hidden_layers
