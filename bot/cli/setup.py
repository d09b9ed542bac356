"""The commands that set the bot up and check it: `bot init` and `bot check`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NoReturn

import typer

from bot.cli.config import ConfigOption, end, load
from bot.exit_code import ExitCode

if TYPE_CHECKING:
    from bot.inference.models.requirements import Finding


def init(config: ConfigOption = None) -> None:
    """Ask what the bot needs to know, write config/bot.yaml and .env, and check that it works."""
    from bot.config import ConfigError
    from bot.init import init as ask

    try:
        findings = ask(config)
    except ConfigError as error:
        end(error)
    _show(findings)


def check(config: ConfigOption = None) -> None:
    """Check configuration, model, machine, tokens and database, one line each."""
    loaded = load(config)
    from bot.check import check as run_checks

    _show(run_checks(loaded))


def _show(findings: "Iterable[Finding]") -> NoReturn:
    """A line for each finding, and the end: with 2 where something is bad."""
    from rich.console import Console

    console = Console(highlight=False)
    passed = True
    for finding in findings:
        mark = "[green]ok[/green]  " if finding.ok else "[red]bad[/red] "
        console.print(f"{mark} {finding.subject}:", end=" ")
        console.print(finding.detail, markup=False, soft_wrap=True)
        passed &= finding.ok
    raise typer.Exit(ExitCode.OK if passed else ExitCode.UNUSABLE)
