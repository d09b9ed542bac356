import itertools
import json
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

import pytest

pytest.importorskip("torch")

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from transformers import GptOssConfig
from typer.testing import CliRunner

from bot.bench import driver, synthetic
from bot.bench.driver import Driver
from bot.bench.floor import step_bytes
from bot.bench.report import report
from bot.bench.result import Figure, Kernel, Result
from bot.cli import app
from bot.inference.engines import EngineError
from bot.inference.engines.gptoss.engine import GptOssEngine
from bot.inference.grammar.grammar import Grammar
from tests.inference.engines.gptoss.remembering import RememberingModel
from tests.inference.masks import mask_of

RESULT = Result(
    model="gpt-oss-20b",
    device="Some Card",
    compared_with="limit",
    settings={"torch": "2.11.0", "weights": "random"},
    figures=[
        Figure("decode, batch 1 after 2048 tokens", "tokens/s", 500.0, 1000.0),
        Figure("first token, 128 tokens", "s", 0.01),
        Figure("transformers", "tokens/s", None, note="no kernels here"),
        Figure("memory", "bytes", 2**34),
    ],
    kernels={"decode, batch 1 after 2048 tokens": [Kernel("_gate_up", 24, 0.00024)]},
)
CONFIG_20B = GptOssConfig(num_hidden_layers=24, num_local_experts=32)


def test_the_bytes_of_a_step_are_those_of_the_weights_it_reads() -> None:
    assert step_bytes(CONFIG_20B, 1, 2048) == pytest.approx(3.76e9, rel=0.01)
    assert step_bytes(CONFIG_20B, 1, 2048, "int8") == pytest.approx(2.62e9, rel=0.01)


def test_more_sequences_read_more_experts_but_never_more_than_there_are() -> None:
    one, eight, many = (step_bytes(CONFIG_20B, batch, 128) for batch in (1, 8, 100_000))
    assert one < eight < 8 * one
    cache = 100_000 * 128 * 24 * 2 * 2 * 512
    assert many - cache < 13.8e9  # the whole checkpoint


def test_the_table_says_random_weights_and_the_share_of_the_limit() -> None:
    printed = _printed()
    for shown in (
        "weights random",
        "Some Card",
        "500 tokens/s",
        "1000",
        "0.50",
        "10.0 ms",
        "16.0 GiB",
        "_gate_up",
    ):
        assert shown in printed


def test_the_table_says_why_a_figure_is_missing() -> None:
    assert "no kernels here" in _printed()


def test_the_json_says_random_weights_too() -> None:
    written = json.loads(RESULT.to_json())
    assert written["settings"]["weights"] == "random"
    assert written["figures"][0]["value"] == 500.0


def _printed() -> str:
    file = StringIO()
    Console(file=file, width=120).print(report(RESULT))
    return file.getvalue()


@pytest.mark.filterwarnings("ignore:CUDA is not available")
def test_every_measurement_leaves_the_engine_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "STEPS", 8)
    monkeypatch.setattr(driver, "REPEATS", 1)
    engine = GptOssEngine(RememberingModel(context=1024, pages=80), slots=2)
    bench = Driver(engine, vocabulary=50)
    assert bench.decode(2, 20) > 0
    assert bench.kernels(2, 20) == []  # on the CPU there are none
    assert min(bench.first_tokens(40)) > 0
    assert bench.all_first_tokens(2, 40) > 0
    assert bench.stop() > 0
    assert bench.leave(40, after=0) > 0
    assert engine.step() == []


@pytest.mark.filterwarnings("ignore:CUDA is not available")
def test_free_and_held_steps_take_turns_in_one_answer() -> None:
    asked: list[str] = []

    class Digits(Grammar):
        def __init__(self) -> None: ...

        def allowed(self) -> NDArray[np.int32]:
            asked.append("allowed")
            return mask_of([7], 64)

        def consume(self, tokens: Iterable[int]) -> None:
            asked.append(f"consumed {[*tokens]}")

    ticks = itertools.count()
    engine = GptOssEngine(RememberingModel(context=1024, pages=80), slots=2)
    bench = Driver(engine, vocabulary=50)
    free, held = bench.held_in_turns([1, 2, 3], 12, Digits(), lambda: next(ticks))
    assert (free, held) == (1, 1)
    assert asked[:4] == ["allowed", "consumed [7]"] * 2
    assert engine.step() == []


def test_a_shape_that_does_not_exist_is_answered_with_those_that_do() -> None:
    result = CliRunner().invoke(app, ["bench", "--synthetic", "gpt-oss-7b"])
    assert result.exit_code == 2
    assert "gpt-oss-20b, gpt-oss-120b" in result.output


class InstantDriver:
    """In place of Driver, which the tests around this one drive an engine by."""

    def __init__(self, engine: GptOssEngine, vocabulary: int) -> None: ...

    def decode(self, batch: int, context: int) -> float:
        return 100.0

    def kernels(self, batch: int, context: int) -> list[Kernel]:
        return [Kernel("_gate_up", 24, 0.00024)]

    def first_tokens(self, length: int) -> tuple[float, float]:
        return 2.0, 1.0

    def leave(self, length: int, after: float) -> float:
        return after

    def all_first_tokens(self, prompts: int, length: int) -> float:
        return 3.0

    def stop(self) -> float:
        return 0.1


@pytest.mark.filterwarnings("ignore:CUDA is not available")
def test_every_cell_has_a_row_and_says_where_the_card_has_no_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(synthetic, "Driver", InstantDriver)
    monkeypatch.setattr(synthetic, "DECODES", ((1, 20), (2, 20), (1, 900), (2, 700)))
    monkeypatch.setattr(synthetic, "PROMPTS", (40, 900))
    monkeypatch.setattr(synthetic, "MANY", (2, 40))
    result = Result("tiny", "Some Card", "limit", {})
    engine = GptOssEngine(RememberingModel(context=1024, pages=51), slots=2)
    synthetic._measure_engine(engine, CONFIG_20B, "int8", 1e12, result, lambda stage: None)
    assert {figure.name: figure.note for figure in result.figures} == {
        "decode, batch 1 after 20 tokens, int8": "",
        "decode, batch 2 after 20 tokens, int8": "",
        "decode, batch 1 after 900 tokens, int8": (
            "skipped: 1092 tokens don't fit, the card has room for 1024"
        ),
        "decode, batch 2 after 700 tokens, int8": (
            "skipped: 1784 tokens don't fit, the card has room for 1600"
        ),
        "first token, 40 tokens, int8": "",
        "first token, second turn after 40, int8": "",
        "first token, after a prompt of 40 was left, int8": "",
        "first token, 900 tokens, int8": (
            "skipped: 1092 tokens don't fit, the card has room for 1024"
        ),
        "2 prompts of 40 tokens, all read, int8": "",
        "stop to next token, int8": "",
    }
    assert [bool(figure.value) for figure in result.figures] == [
        not figure.note for figure in result.figures
    ]


@pytest.mark.parametrize(
    ("weights", "on_tensor_cores", "measured"),
    [
        (None, True, ("exact", "int8")),
        ("exact", True, ("exact",)),
        ("int8", True, ("int8",)),
        (None, False, ("exact",)),
    ],
)
def test_the_weights_that_were_asked_for_are_measured_or_else_all_that_the_card_has(
    weights: str | None,
    on_tensor_cores: bool,
    measured: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(synthetic, "on_tensor_cores", lambda: on_tensor_cores)
    assert synthetic._kinds(weights) == measured


def test_a_card_without_kernels_for_eight_bits_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "on_tensor_cores", lambda: False)
    with pytest.raises(EngineError, match="no kernels for int8 weights, only for exact"):
        synthetic._kinds("int8")


@pytest.mark.parametrize(
    "arguments", [[], ["--engine", "gptoss"], ["--weights", "int8"], ["--as", "8.0"]]
)
def test_a_machine_that_can_not_run_it_says_why_in_one_line(
    arguments: list[str], monkeypatch, tmp_path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INFERENCE_DEVICE", "cpu")
    result = CliRunner().invoke(app, ["bench", *arguments, "--synthetic", "gpt-oss-20b"])
    assert result.exit_code == 2
    assert "needs a CUDA card" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--weights", "int8"], "add --engine gptoss or --synthetic"),
        (["--weights", "int8", "--engine", "transformers"], "add --engine gptoss or --synthetic"),
        (["--weights", "fp8", "--synthetic", "gpt-oss-20b"], "'exact', 'int8'"),
        (["--as", "8.0"], "goes with --synthetic only"),
        (["--as", "9.9", "--synthetic", "gpt-oss-20b"], "allowed are 7.5, 8.0, 8.6, 8.9"),
    ],
)
def test_what_an_option_does_not_go_with_is_named(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["bench", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize("engine", ["transformers", "fast"])
def test_an_engine_that_can_not_be_benched_so_is_named(engine: str) -> None:
    arguments = ["bench", "--engine", engine, "--synthetic", "gpt-oss-20b"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "gptoss" in result.output
