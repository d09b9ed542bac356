"""`bot check`: whether what the configuration names can be used, one finding each."""

import asyncio
import errno
import re
from collections.abc import Iterator

from bot.client import InferenceClient, InferenceError, shortcomings
from bot.config import STATUS_KEYS, Config, StatusConfig
from bot.conversation.budget import ASSUMED_CONTEXT
from bot.inference.models.requirements import Finding, requirements
from bot.listener import ListenError, bind, listening_socket
from bot.one_line import without_password
from bot.platforms.inspection import PlatformProblem, inspect_discord, inspect_slack
from bot.storage import StorageError, check_database

TOKEN_FORMS = {
    # https://docs.discord.com/developers/reference#authentication: three base64 parts
    "discord.token": (r"[\w-]{18,}\.[\w-]{6,}\.[\w-]{25,}", "three parts joined by dots"),
    # https://docs.slack.dev/authentication/tokens
    "slack.bot_token": (r"xoxb-[\w-]+", "xoxb-…"),
    "slack.app_token": (r"xapp-[\w-]+", "xapp-…"),
    "slack.signing_secret": (r"[0-9a-f]{32}", "32 hexadecimal digits"),
}


def check(config: Config) -> Iterator[Finding]:
    """Look at configuration, model, machine, platforms and database; nothing is changed.

    What can be asked is asked: Discord and Slack about the tokens, another inference server whether
    it is ready.
    """
    where = config.path or "built-in defaults"
    personas, servers = len(config.personas), len(config.servers)
    yield Finding("configuration", True, f"{where}: {personas} personas, {servers} servers")
    if config.inference.url:
        yield from asyncio.run(_server(config))
    else:
        yield from requirements(config.inference)
    yield from _discord(config)
    yield from _slack(config)
    if not (config.discord.token.get_secret_value() or config.slack.is_set):
        none = "none: bot chat works here; bot run needs a token of Discord or Slack (bot init)"
        yield Finding("platforms", True, none)
    for key, origin in config.origins.items():
        if key not in TOKEN_FORMS:
            yield Finding(key, True, f"from {origin}")
    yield _storage(config.storage.url)
    if config.status.listen:
        yield status_finding(config.status)
    for section, listen in (("metrics", config.metrics.listen), ("slack", config.slack.listen)):
        if listen:
            yield _listening(section, listen)


async def _server(config: Config) -> list[Finding]:
    inference = config.inference
    shown = without_password(inference.url)
    client = InferenceClient(inference.url, inference.api_key.get_secret_value(), inference.model)
    try:
        health = await client.health()
        if health.status in ("connecting", "failed"):
            return [Finding("inference", False, f"{shown}: {health.detail}")]
        if not health.ready:
            loading = f"{shown} is making its model ready ({health.status})"
            return [Finding("inference", True, loading)]
        lines = [line async for line in shortcomings(client, ASSUMED_CONTEXT)]
        info = await client.model_info()
        answers = Finding("inference", True, f"{shown} answers with {info.id}")
        return [answers, *(Finding("inference", True, f"the server {line}") for line in lines)]
    except InferenceError as error:
        return [Finding("inference", False, f"{shown}: {error}")]
    finally:
        await client.close()


def _discord(config: Config) -> Iterator[Finding]:
    form = _form(config, "discord.token")
    yield form
    if not form.ok or not config.discord.token.get_secret_value():
        return
    try:
        found = asyncio.run(inspect_discord(config.discord))
    except PlatformProblem as error:
        yield Finding("discord", False, str(error))
        return
    yield Finding("discord", True, f"Discord knows the token as {found.name}")
    granted = (
        "on"
        if found.message_content
        else ("off: mentions, replies and direct messages are answered, other messages are not")
    )
    yield Finding("discord", True, f"the message content intent is {granted}")


def _slack(config: Config) -> Iterator[Finding]:
    slack = config.slack
    forms = [_form(config, key) for key in TOKEN_FORMS if key.startswith("slack.")]
    yield from forms
    if not slack.is_set or not all(form.ok for form in forms):
        return
    for problem in slack.problems:
        yield Finding("slack", False, problem)
    if slack.problems or not slack.bot_token.get_secret_value():
        return
    try:
        found = asyncio.run(inspect_slack(slack))
    except PlatformProblem as error:
        yield Finding("slack", False, str(error))
        return
    yield Finding("slack", True, f"Slack knows the token as {found.bot} in {found.workspace}")
    if found.missing:
        missing = ", ".join(found.missing)
        problem = (
            f"scopes are missing: {missing}; add them under OAuth & Permissions, install again"
        )
        yield Finding("slack", False, problem)


def _form(config: Config, key: str) -> Finding:
    """Whether a token looks like one: what doesn't is not sent to Discord or Slack.

    A server of another kind at api_url may have tokens of its own form.
    """
    pattern, description = TOKEN_FORMS[key]
    section, name = key.split(".")
    values = getattr(config, section)
    token = getattr(values, name).get_secret_value()
    source = f" (from {origin})" if (origin := config.origins.get(key)) else ""
    if not token:
        return Finding(key, True, "not set")
    if re.fullmatch(pattern, token):
        return Finding(key, True, f"set, in the right form{source}")
    if values.api_url != type(values).model_fields["api_url"].default:
        return Finding(key, True, f"set{source}")
    problem = f"not in the form that such tokens have: {description}{source}"
    return Finding(key, False, problem)


def _storage(url: str) -> Finding:
    from sqlalchemy.engine import make_url

    try:
        asyncio.run(check_database(url))
    except StorageError as error:
        return Finding("storage", False, str(error))
    return Finding("storage", True, f"{make_url(url).render_as_string()} can be written")


def status_finding(status: StatusConfig) -> Finding:
    """Whether the status page can be served."""
    try:
        bind(status.listen, status.token.get_secret_value(), STATUS_KEYS).close()
    except ListenError as error:
        return _not_listening("status", status.listen, error.__cause__, str(error))
    asks = "asks for status.token" if status.token.get_secret_value() else "asks for no token"
    return Finding("status", True, f"the page at http://{status.listen} {asks}")


def _listening(section: str, listen: str) -> Finding:
    host, _, port = listen.rpartition(":")
    try:
        listening_socket(host.strip("[]"), int(port)).close()
    except OSError as error:
        reason = (
            f"{section}.listen is {listen}, but listening there failed: {error.strerror or error}"
        )
        return _not_listening(section, listen, error, reason)
    return Finding(section, True, f"{listen} can be listened on")


def _not_listening(section: str, listen: str, cause: BaseException | None, problem: str) -> Finding:
    if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
        return Finding(section, True, f"{listen} is in use: by a bot that runs, perhaps")
    return Finding(section, False, problem)
