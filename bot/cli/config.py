"""The option that names the configuration file, and how a command ends without a usable one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from bot.exit_code import ExitCode

if TYPE_CHECKING:
    from bot.config import Config, ConfigError

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="BOT_CONFIG",
        help="The configuration file; without it config/bot.yaml here, or the built-in defaults.",
        show_default=False,
    ),
]


def load(path: Path | None) -> "Config":
    from bot.config import ConfigError, load_config

    try:
        return load_config(path)
    except ConfigError as error:
        end(error)


def end(error: "ConfigError") -> NoReturn:
    for problem in error.problems:
        typer.echo(problem, err=True)
    raise typer.Exit(ExitCode.UNUSABLE) from error
