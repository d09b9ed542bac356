"""`bot bench`, from its options to the report in the terminal."""

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from bot.bench.report import report
from bot.bench.result import Result
from bot.config import InferenceConfig


def run_bench(
    inference: InferenceConfig,
    folder: Path | None,
    *,
    engine: str | None,
    synthetic: str,
    weights: str | None,
    older_card: str | None,
    json_file: Path | None,
) -> None:
    """Measure the model in `folder`, or without it a random one of the shape `synthetic`.

    `engine` and `weights` take the place of `inference.engine` and `inference.weights`; a random
    model is measured with both kinds of weights where none is given. `older_card` is for a random
    model, see older_card.run_as. Raises EngineError.
    """
    console = Console()
    with console.status("measuring") as status:

        def show(stage: str) -> None:
            status.update(f"measuring {stage}")

        if folder is None:
            result = _measure_synthetic(synthetic, inference.device, weights, older_card, show)
        else:
            engine, weights = engine or inference.engine, weights or inference.weights
            result = _compare(inference, folder, engine, weights, show)
    console.print(report(result))
    if json_file:
        json_file.write_text(result.to_json() + "\n", encoding="utf-8")


def _measure_synthetic(
    shape: str,
    device: str,
    weights: str | None,
    older_card: str | None,
    on_stage: Callable[[str], None],
) -> Result:
    from bot.bench.synthetic import measure

    return measure(shape, device, on_stage, weights=weights, older_card=older_card)


def _compare(
    inference: InferenceConfig,
    folder: Path,
    engine: str,
    weights: str,
    on_stage: Callable[[str], None],
) -> Result:
    from bot.bench.comparison import compare

    return compare(
        inference.model, folder, inference.device, on_stage, engine=engine, weights=weights
    )
