import json
from io import StringIO
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("gguf")

from rich.console import Console

from bot.bench.comparison import compare
from bot.bench.report import report
from bot.bench.result import Result
from bot.inference.models.convert import convert_gguf
from tests.inference.tiny_gguf import write_gguf


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("converted")
    source: Path = tmp_path_factory.mktemp("source") / "tiny.gguf"
    write_gguf(source, context=1024)
    convert_gguf(source, folder, lambda share: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bot.bench.comparison.REPEATS", 1)
        return compare("tiny", folder, "cpu")


def test_both_contenders_are_measured_in_full(result: Result) -> None:
    for name in ("decode", "first token, cold", "first token, second turn"):
        figure = result[name]
        assert min(figure.value or 0, figure.compared or 0) > 0
    memory = result["peak memory"]
    assert min(memory.value or 0, memory.compared or 0) > 50 * 2**20


def test_what_a_grammar_costs_is_told_beside_a_free_step(result: Result) -> None:
    held = result["decode, held to JSON"]
    assert (held.unit, held.compared) == ("s", None)
    assert held.value
    assert held.note.endswith("% of a free step")


def test_both_contenders_know_the_text_equally_well(result: Result) -> None:
    assert result["perplexity"].ratio == pytest.approx(1, rel=0.01)


def test_the_json_has_every_figure_and_the_ratios(result: Result) -> None:
    written = json.loads(result.to_json())
    decode = written["figures"][0]
    assert decode["ratio"] == pytest.approx(decode["value"] / decode["compared"])
    assert [figure["name"] for figure in written["figures"]] == [
        "decode",
        "decode, held to JSON",
        "first token, cold",
        "first token, second turn",
        "peak memory",
        "perplexity",
    ]
    assert (written["model"], written["device"]) == ("tiny", "cpu")
    assert written["settings"]["prompt tokens"] == 512


def test_the_table_shows_both_and_the_second_turns_share(result: Result) -> None:
    console = Console(file=StringIO(), width=100)
    console.print(report(result))
    printed = console.file.getvalue()
    for shown in ("bot serve", "generate", "tokens/s", "perplexity", "of a cold one"):
        assert shown in printed
