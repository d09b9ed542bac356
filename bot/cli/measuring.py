"""The command that measures: `bot bench`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from bot.cli.config import ConfigOption, load
from bot.cli.models import fetch_model, require_inference
from bot.exit_code import ExitCode


def bench(
    config: ConfigOption = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write the figures to this file too.", show_default=False),
    ] = None,
    engine: Annotated[
        Literal["auto", "gptoss", "transformers"] | None,
        typer.Option(help="Instead of inference.engine.", show_default=False),
    ] = None,
    synthetic: Annotated[
        str | None,
        typer.Option(
            help="gpt-oss-20b or gpt-oss-120b: the gpt-oss engine on random weights of that size.",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        Literal["exact", "int8"] | None,
        typer.Option(
            help="Instead of inference.weights; --synthetic measures both without it.",
            show_default=False,
        ),
    ] = None,
    older_card: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="CAPABILITY",
            help="With --synthetic: the kernels of an older card on this one, such as 8.0.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Measure the configured model here, beside plain transformers on the same model."""
    require_inference()
    from bot.bench.command import run_bench
    from bot.bench.shapes import SHAPES
    from bot.inference.engines import EngineError

    inference = load(config).inference
    if synthetic is not None and synthetic not in SHAPES:
        raise typer.BadParameter(f"allowed: {', '.join(SHAPES)}", param_hint="--synthetic")
    if synthetic is not None and engine == "transformers":
        raise typer.BadParameter(
            "--synthetic measures gptoss, and transformers beside it", param_hint="--engine"
        )
    if weights and synthetic is None and (engine or inference.engine) != "gptoss":
        raise typer.BadParameter(
            "only the gpt-oss engine has a choice of weights: add --engine gptoss or --synthetic",
            param_hint="--weights",
        )
    if older_card and synthetic is None:
        raise typer.BadParameter("goes with --synthetic only", param_hint="--as")
    try:
        folder = None if synthetic else fetch_model(inference.model, inference.models_dir)
        run_bench(
            inference,
            folder,
            engine=engine,
            synthetic=synthetic or "",
            weights=weights,
            older_card=older_card,
            json_file=json_file,
        )
    except EngineError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(ExitCode.UNUSABLE) from error
