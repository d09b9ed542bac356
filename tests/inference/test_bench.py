import json
from io import StringIO
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("gguf")

from rich.console import Console

from bot.inference.bench import BenchResult, report, run_bench
from bot.inference.models.convert import convert_gguf
from tests.inference.tiny_gguf import write_gguf


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> BenchResult:
    folder = tmp_path_factory.mktemp("converted")
    source: Path = tmp_path_factory.mktemp("source") / "tiny.gguf"
    write_gguf(source, context=1024)
    convert_gguf(source, folder, lambda share: None)
    return run_bench("tiny", folder, "cpu")


def test_both_contenders_are_measured_in_full(result: BenchResult) -> None:
    for measured in (result.engine, result.generate):
        assert measured.first_token_cold > 0
        assert measured.first_token_second_turn > 0
        assert measured.decode_speed > 0
        assert measured.peak_memory > 50 * 2**20


def test_both_contenders_know_the_text_equally_well(result: BenchResult) -> None:
    assert result.engine.perplexity == pytest.approx(result.generate.perplexity, rel=0.01)


def test_the_json_has_every_figure_and_the_ratios(result: BenchResult) -> None:
    figures = json.loads(result.to_json())
    speeds = figures["engine"]["decode_speed"], figures["generate"]["decode_speed"]
    assert figures["ratios"]["decode_speed_to_generate"] == pytest.approx(speeds[0] / speeds[1])
    assert (figures["model"], figures["device"], figures["prompt_tokens"]) == ("tiny", "cpu", 512)


def test_the_table_shows_both_and_the_second_turns_share(result: BenchResult) -> None:
    console = Console(file=StringIO(), width=100)
    console.print(report(result))
    printed = console.file.getvalue()
    for shown in ("bot serve", "generate", "decode, tokens/s", "perplexity", "of a cold one"):
        assert shown in printed
