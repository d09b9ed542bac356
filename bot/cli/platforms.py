"""The commands that connect a platform: `bot discord-invite` and `bot slack-manifest`."""

import asyncio
from typing import Annotated

import typer

from bot.cli.config import ConfigOption, load
from bot.exit_code import ExitCode


def discord_invite(
    application: Annotated[
        int | None,
        typer.Argument(
            help="The application's id; the token's own without it.", show_default=False
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Print the link with which people add the bot to their Discord server."""
    from bot.platforms.discord.permissions import invitation
    from bot.platforms.inspection import PlatformProblem, inspect_discord

    try:
        id = application or asyncio.run(inspect_discord(load(config).discord)).application
    except PlatformProblem as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(ExitCode.UNUSABLE) from error
    typer.echo(invitation(id))


def slack_manifest(
    config: ConfigOption = None,
    name: Annotated[
        str, typer.Option(help="The app's name, at most 35 characters.")
    ] = "gptoss-bot",
    prefix: Annotated[
        str | None,
        typer.Option(
            help="What the commands' names begin with; slack.command_prefix without it.",
            show_default=False,
        ),
    ] = None,
    one_command: Annotated[
        bool, typer.Option("--one-command", help="One command for all: /bot effort.")
    ] = False,
    url: Annotated[
        str, typer.Option(help="https://YOUR.HOST for HTTP; Socket Mode without it.")
    ] = "",
    link: Annotated[bool, typer.Option("--link", help="A link that makes the app.")] = False,
) -> None:
    """Write the manifest of the Slack app, for api.slack.com/apps → From a manifest."""
    from bot.platforms.slack.manifest import as_yaml, creation_link, manifest

    if prefix is None:
        prefix = load(config).slack.command_prefix
    try:
        content = manifest(name, prefix, one_command=one_command, address=url)
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(ExitCode.UNUSABLE) from error
    typer.echo(creation_link(content) if link else as_yaml(content), nl=link)
