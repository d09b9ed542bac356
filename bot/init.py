"""`bot init`: asks what the bot needs to know, writes it, and checks that it works.

Answers go to .env, which only its owner may read; config/bot.yaml takes its values from there. What
is set already is the answer to each question when nothing is typed.
"""

import asyncio
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import typer
from pydantic import SecretStr

from bot.check import check
from bot.config import (
    Config,
    ConfigError,
    builtin_config_dir,
    find_config,
    load_config,
    write_dotenv,
)
from bot.exit_code import ExitCode
from bot.inference.models.catalog import presets
from bot.inference.models.machine import Machine, find_machine
from bot.inference.models.requirements import Finding, unmet
from bot.platforms.discord.permissions import invitation
from bot.platforms.inspection import PlatformProblem, inspect_discord, inspect_slack
from bot.platforms.slack.manifest import creation_link, manifest

PLATFORMS = ("discord", "slack", "both", "none")
BEST_FIRST = ("gpt-oss-120b", "gpt-oss-20b")
APP_NAME = "gptoss-bot"

T = TypeVar("T")


def init(path: Path | None) -> Iterator[Finding]:
    """Ask on stdin, a line each, write config/bot.yaml and .env, then check. Raises ConfigError."""
    file = find_config(path) or Path("config/bot.yaml")
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(builtin_config_dir() / "bot.yaml", file)
    config = load_config(file)
    asked = Setup(file)
    platforms = _ask_choice("Platforms", PLATFORMS, _platforms_of(config))
    if platforms in ("discord", "both"):
        _ask_discord(asked)
    if platforms in ("slack", "both"):
        _ask_slack(asked)
    _tell_what_stays(config, platforms)
    _ask_model(asked)
    persona = _ask_choice("Default persona", config.personas, config.defaults.persona)
    asked.write(DEFAULT_PERSONA=persona)
    inference = asked.config.inference
    if not (inference.url or inference.api_key.get_secret_value()):
        asked.write(INFERENCE_API_KEY=secrets.token_urlsafe(32))
    typer.echo(f"\nWritten: {file} and .env")
    if asked.config.defaults.persona != persona:
        typer.echo(f"{file} has a persona of its own at defaults.persona, which stays in effect")
    return check(asked.config)


class Setup:
    """What was answered so far, as the configuration that it makes."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.config = load_config(file)

    def write(self, **values: str) -> Config:
        """Keep `values` in .env; the configuration with them.

        Raises ConfigError, and keeps nothing then.
        """
        before = {name: os.environ.get(name, "") for name in values}
        write_dotenv(values)
        try:
            self.config = load_config(self._file)
        except ConfigError:
            write_dotenv(before)
            raise
        return self.config


def _platforms_of(config: Config) -> str:
    discord, slack = bool(config.discord.token.get_secret_value()), config.slack.is_set
    if discord == slack:
        return "both"
    return "discord" if discord else "slack"


def _tell_what_stays(before: Config, platforms: str) -> None:
    """Tokens of a platform that wasn't chosen are kept, and `bot run` goes there too."""
    if before.discord.token.get_secret_value() and platforms in ("slack", "none"):
        typer.echo("Discord stays set up: to leave it out, empty DISCORD_TOKEN in .env")
    if before.slack.is_set and platforms in ("discord", "none"):
        typer.echo("Slack stays set up: to leave it out, empty SLACK_BOT_TOKEN in .env")


def _ask_discord(asked: Setup) -> None:
    typer.echo("\nDiscord: https://discord.com/developers/applications, Bot, Reset Token")

    def inspect(token: str) -> str:
        new = asked.config.discord.model_copy(update={"token": SecretStr(token)})
        found = asyncio.run(inspect_discord(new))
        asked.write(DISCORD_TOKEN=token)
        return f"Discord knows it as {found.name}. Its invitation: {invitation(found.application)}"

    _ask_token("Discord bot token", asked.config.discord.token.get_secret_value(), inspect)


def _ask_slack(asked: Setup) -> None:
    prefix = asked.config.slack.command_prefix

    def link(prefix: str) -> str:
        content = manifest(APP_NAME, prefix)
        asked.write(SLACK_COMMAND_PREFIX=prefix)
        return (
            f"Slack: open {creation_link(content)}\n"
            "Then Install App gives the bot token, and Basic Information, App-Level Tokens, with"
            " connections:write, the app-level token."
        )

    typer.echo("")
    _ask("Prefix of the slash commands", prefix, link)
    tokens = {}

    def note(token: str) -> str:
        tokens["bot_token"] = SecretStr(token)
        return ""

    def inspect(token: str) -> str:
        tokens["app_token"] = SecretStr(token)
        found = asyncio.run(inspect_slack(asked.config.slack.model_copy(update=tokens)))
        given = {
            f"SLACK_{name.upper()}": value.get_secret_value() for name, value in tokens.items()
        }
        asked.write(**given)
        return f"Slack knows them as {found.bot} in {found.workspace}."

    slack = asked.config.slack
    _ask_token("Slack bot token (xoxb-)", slack.bot_token.get_secret_value(), note)
    _ask_token("Slack app-level token (xapp-)", slack.app_token.get_secret_value(), inspect)


def _ask_model(asked: Setup) -> None:
    typer.echo("\nAnother OpenAI-compatible server can have the model: llama.cpp, Ollama, vLLM, …")
    current = asked.config.inference

    def server(url: str) -> str:
        asked.write(INFERENCE_URL="" if url == "here" else url)
        return ""

    _ask("Address of the server, or here for this machine", current.url or "here", server)
    if asked.config.inference.url:
        return
    machine = find_machine(current.device)
    chosen = "inference.model" in asked.config.origins
    best = current.model if chosen else _best(asked.config, machine)

    def model(name: str) -> str:
        asked.write(INFERENCE_MODEL=name)
        if problem := unmet(asked.config.inference, machine):
            raise PlatformProblem(problem)
        return ""

    typer.echo(f"Models: {', '.join(presets())}, a Hugging Face id or a folder")
    _ask("Model", best, model)


def _best(config: Config, machine: Machine) -> str:
    """The largest preset that this machine holds."""
    for name in BEST_FIRST:
        inference = config.inference.model_copy(update={"model": name})
        if unmet(inference, machine) is None:
            return name
    return "smollm2-135m"


def _ask_choice(question: str, allowed: "tuple[str, ...] | dict[str, T]", current: str) -> str:
    def choose(answer: str) -> str:
        if answer.lower() not in allowed:
            raise PlatformProblem(f"found {answer!r}, allowed: {', '.join(allowed)}")
        return ""

    return _ask(f"{question} ({', '.join(allowed)})", current, choose).lower()


def _ask_token(question: str, current: str, use: Callable[[str], str]) -> None:
    """Ask for a secret; nothing typed keeps the one that there is."""
    shown = "keep the one that is set" if current else "none yet"
    while True:
        typed = _prompt(f"{question} [{shown}]", "", hide_input=sys.stdin.isatty())
        token = typed or current
        if not token or _accepted(token, use):
            return


def _ask(question: str, current: str, use: Callable[[str], str]) -> str:
    while True:
        answer = _prompt(f"{question} [{current}]", current)
        if _accepted(answer, use):
            return answer


def _prompt(question: str, default: str, *, hide_input: bool = False) -> str:
    """What is typed; `default` for an empty line, and for all questions after a pipe's end."""
    try:
        answer = typer.prompt(question, default=default, show_default=False, hide_input=hide_input)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        answer = default
    if not sys.stdin.isatty():
        typer.echo("")  # nobody pressed return
    return str(answer).strip()


def _accepted(answer: str, use: Callable[[str], str]) -> bool:
    """Whether `use` takes the answer. At a terminal it is asked again, else this is the end."""
    try:
        if told := use(answer):
            typer.echo(told)
        return True
    except (PlatformProblem, ConfigError, ValueError) as error:
        typer.echo(str(error), err=True)
        if not sys.stdin.isatty():
            raise typer.Exit(ExitCode.UNUSABLE) from error
        return False
