"""The bot's commands as Discord's slash commands."""

import hashlib
import json
from inspect import Parameter, Signature
from typing import Any, TypeAlias

import discord
from discord import app_commands

from bot.config import Effort
from bot.conversation.commands import COMMANDS, Command, CommandCall
from bot.conversation.commands.definition import Option, OptionKind
from bot.conversation.commands.setting import SETTINGS
from bot.conversation.texts import Texts
from bot.platforms.discord.interactions import Interactions
from bot.platforms.discord.limits import CHOICES

CHOICES_OF: dict[OptionKind, tuple[str, ...]] = {
    OptionKind.EFFORT: tuple(Effort),
    OptionKind.SCOPE: ("thread", "channel", "server"),
    OptionKind.SETTING: tuple(SETTINGS),
}
"""What can be chosen for an option."""
Value: TypeAlias = (
    str | app_commands.AppCommandChannel | app_commands.AppCommandThread | discord.Attachment
)


def add_commands(
    tree: app_commands.CommandTree[discord.Client], interactions: Interactions, texts: Texts
) -> None:
    """Put every command into `tree`, and the message menu's entries, described by `texts`.

    A name of two words makes a group and its command.
    """
    groups: dict[str, app_commands.Group] = {}
    for command in COMMANDS.values():
        group_name, _, word = command.name.rpartition(" ")
        built = _build(word, command, interactions, texts)
        if not group_name:
            tree.add_command(built)
            continue
        if group_name not in groups:
            groups[group_name] = app_commands.Group(
                name=group_name, description=texts(f"group_{group_name}"), **_where()
            )
            tree.add_command(groups[group_name])
        groups[group_name].add_command(built)
    entries = {"ask_title": interactions.ask_about, "catch_up_title": interactions.catch_up}
    for key, callback in entries.items():
        tree.add_command(app_commands.ContextMenu(name=texts(key), callback=callback, **_where()))


def fingerprint(tree: app_commands.CommandTree[discord.Client]) -> str:
    """Changes when a definition changes: only then do the commands need to be synced."""
    payload = [command.to_dict(tree) for command in tree.get_commands()]
    return hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()


def _build(
    word: str, command: Command, interactions: Interactions, texts: Texts
) -> app_commands.Command[Any, Any, Any]:
    async def callback(interaction: discord.Interaction, **values: Value | None) -> None:
        given = {
            name: value if isinstance(value, str) else str(value.id)
            for name, value in values.items()
            if not (value is None or isinstance(value, discord.Attachment))
        }
        await interactions.command(interaction, CommandCall(command, given))

    async def personas(
        interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        names = [n for n in await interactions.persona_names(interaction) if typed.lower() in n]
        return [app_commands.Choice(name=n, value=n) for n in names[:CHOICES]]

    files = [option for option in command.options if option.kind is OptionKind.FILE]
    typed = [option for option in command.typed_options if option not in command.form_options]
    options = [*files, *typed]
    # discord.py reads the options from the callback's signature.
    callback.__signature__ = Signature(  # type: ignore[attr-defined]
        [
            Parameter(
                "interaction", Parameter.POSITIONAL_OR_KEYWORD, annotation=discord.Interaction
            ),
            *map(_parameter, options),
        ]
    )
    app_commands.describe(**{o.name: texts(o.about) for o in options})(callback)
    for option in options:
        if option.kind is OptionKind.PERSONA:
            app_commands.autocomplete(**{option.name: personas})(callback)
        elif values := CHOICES_OF.get(option.kind):
            choices = [app_commands.Choice(name=str(v), value=str(v)) for v in values]
            app_commands.choices(**{option.name: choices})(callback)
    where = {} if " " in command.name else _where()
    return app_commands.Command(
        name=word,
        description=texts(command.about),
        callback=callback,  # type: ignore[arg-type]  # its signature is set above
        **where,
    )


def _parameter(option: Option) -> Parameter:
    kind: Any = str
    if option.kind is OptionKind.CHANNEL:
        kind = app_commands.AppCommandChannel | app_commands.AppCommandThread
    if option.kind is OptionKind.FILE:  # only Discord's own commands can ask for one
        return Parameter(option.name, Parameter.KEYWORD_ONLY, annotation=discord.Attachment)
    return Parameter(
        option.name,
        Parameter.KEYWORD_ONLY,
        annotation=kind if option.required else kind | None,
        default=Parameter.empty if option.required else None,
    )


def _where() -> dict[str, Any]:
    """Installable to servers and to users, usable everywhere."""
    return {
        "allowed_installs": app_commands.AppInstallationType(guild=True, user=True),
        "allowed_contexts": app_commands.AppCommandContext(
            guild=True, dm_channel=True, private_channel=True
        ),
    }
