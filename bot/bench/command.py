"""`bot bench`, from its options to the report in the terminal."""

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from bot.bench.report import report
from bot.bench.result import Result
from bot.config.schema import InferenceConfig


def run_bench(
    inference: InferenceConfig,
    folder: Path | None,
    engine: str | None,
    synthetic: str,
    json_file: Path | None,
) -> None:
    """Measure the model in `folder`, or without it a random one of the shape `synthetic`.

    `engine` takes the place of `inference.engine`. Raises EngineError.
    """
    console = Console()
    with console.status("measuring") as status:

        def show(stage: str) -> None:
            status.update(f"measuring {stage}")

        result = _measure(inference, folder, engine or inference.engine, synthetic, show)
    console.print(report(result))
    if json_file:
        json_file.write_text(result.to_json() + "\n", encoding="utf-8")


def _measure(
    inference: InferenceConfig,
    folder: Path | None,
    engine: str,
    synthetic: str,
    on_stage: Callable[[str], None],
) -> Result:
    if folder is None:
        from bot.bench.synthetic import measure

        return measure(synthetic, inference.device, on_stage)
    from bot.bench.comparison import compare

    return compare(inference.model, folder, inference.device, engine, on_stage)
