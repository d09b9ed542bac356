"""The Slack app's manifest, from what the code registers and needs.

https://docs.slack.dev/reference/app-manifest
"""

import re
from typing import Any
from urllib.parse import urlencode

import yaml

from bot.config import Config
from bot.conversation.commands import COMMANDS
from bot.conversation.texts import Texts
from bot.platforms.slack.installations import (
    ALL_SCOPES,
    EVENTS,
    EVENTS_PATH,
    REDIRECT_PATH,
)
from bot.platforms.slack.interactions import CATCH_UP

DESCRIPTION = "An assistant that runs on a GPU of your own"
ABOUT = """\
Mention the app in a channel, or write to it in private, and a language model on your own machine \
answers. It answers as the persona that the channel has, and thinks harder when asked to. Answers \
are written by an AI and can be wrong: check what matters. The app reads a conversation when it is \
asked in it, and stores no message text."""
AGENT = "Answers questions with a model on your own GPU. Answers can be wrong: check what matters."
COLOR = "#1f2937"
NAME_LENGTH = 35
COMMAND = re.compile(r"/[a-z0-9_-]{1,31}")
RESERVED = {
    *("active", "apps", "archive", "away", "call", "close", "collapse", "commands"),
    *("debug", "dm", "dnd", "expand", "feed", "feedback", "giphy", "help", "invite"),
    *("invite_people", "join", "kick", "kill", "leave", "me", "msg", "mute", "open"),
    *("part", "prefs", "pro", "remind", "remove", "rename", "s", "search", "send"),
    *("shortcuts", "shrug", "star", "status", "topic", "unarchive", "unmute", "who"),
}
"""Slack's own commands and what users report as refused: with one of them, all are dropped.

https://slack.com/help/articles/201259356-Use-built-in-slash-commands
"""
TEXTS = Texts(Config(), "en", "slack")
"""Whoever makes the app reads English pages."""
SHORTCUT = {
    "name": TEXTS("catch_up_title"),
    "type": "message",
    "callback_id": CATCH_UP,
    "description": TEXTS("command_summary"),
}


def manifest(
    name: str, prefix: str, *, one_command: bool = False, address: str = ""
) -> dict[str, Any]:
    """The app called `name`, whose commands begin with `prefix`: /bot-effort for `bot-`.

    one_command: in place of a command each, one with the prefix's name, /bot effort.
    address: https://YOUR.HOST for HTTP; empty: Socket Mode.

    Raises ValueError for what Slack would refuse; one line that says what is allowed.
    """
    if not 1 <= len(name) <= NAME_LENGTH:
        raise ValueError(f"the name has {len(name)} characters, allowed: 1 to {NAME_LENGTH}")
    if address and not address.startswith("https://"):
        raise ValueError(f"found {address!r}, allowed: an address that begins with https://")
    commands = [_the_one(prefix)] if one_command else _each(prefix)
    for command in commands:
        _check(command["command"])
    events: dict[str, Any] = {"bot_events": list(EVENTS)}
    interactivity: dict[str, Any] = {"is_enabled": True}
    oauth: dict[str, Any] = {"scopes": {"bot": list(ALL_SCOPES)}}
    if address:
        url = f"{address.rstrip('/')}{EVENTS_PATH}"
        commands = [command | {"url": url} for command in commands]
        events["request_url"] = interactivity["request_url"] = url
        oauth["redirect_urls"] = [f"{address.rstrip('/')}{REDIRECT_PATH}"]
    return {
        "display_information": {
            "name": name,
            "description": DESCRIPTION,
            "long_description": ABOUT,
            "background_color": COLOR,
        },
        "features": {
            "agent_view": {"agent_description": AGENT},
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": name, "always_online": True},
            "shortcuts": [SHORTCUT],
            "slash_commands": commands,
        },
        "oauth_config": oauth,
        "settings": {
            "event_subscriptions": events,
            "interactivity": interactivity,
            "org_deploy_enabled": True,
            "socket_mode_enabled": not address,
            "token_rotation_enabled": False,
        },
    }


def _check(command: str) -> None:
    if not COMMAND.fullmatch(command):
        raise ValueError(f"{command!r} can't name a command, allowed: 1 to 31 of a-z, 0-9, - and _")
    if command.removeprefix("/") in RESERVED:
        raise ValueError(
            f"{command} is one of Slack's own commands: choose another prefix, such as bot-"
        )


def as_yaml(content: dict[str, Any]) -> str:
    """As people paste it."""
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def creation_link(content: dict[str, Any]) -> str:
    """Where a browser makes the app from its manifest, with nothing to paste."""
    return (
        f"https://api.slack.com/apps?{urlencode({'new_app': 1, 'manifest_yaml': as_yaml(content)})}"
    )


def _each(prefix: str) -> list[dict[str, Any]]:
    """A slash command for each of ours; those of two words are one command with a hint."""
    found = []
    for word in dict.fromkeys(name.split()[0] for name in COMMANDS):
        entry = {"command": f"/{prefix}{word}"}
        if command := COMMANDS.get(word):
            entry["description"] = TEXTS(command.about)
            hint = command.usage.partition(" ")[2]
        else:
            subcommands = [n.split()[1] for n in COMMANDS if n.startswith(f"{word} ")]
            entry["description"] = TEXTS(f"group_{word}")
            hint = "|".join(subcommands)
        found.append(entry | ({"usage_hint": hint} if hint else {}))
    return found


def _the_one(prefix: str) -> dict[str, Any]:
    words = dict.fromkeys(name.split()[0] for name in COMMANDS)
    return {
        "command": f"/{prefix.rstrip('-_')}",
        "description": TEXTS("group_bot"),
        "usage_hint": "|".join(words),
    }
