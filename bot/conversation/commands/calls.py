"""A command that was given, with its options: typed as a line, chosen from a menu or filled in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from bot.conversation.commands.catalog import COMMANDS
from bot.conversation.commands.definition import Command, CommandError, Context, OptionKind
from bot.conversation.texts import Texts


@dataclass(frozen=True)
class CommandCall:
    """A command and the values of its options, by name."""

    command: Command
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs_form(self) -> bool:
        """Whether a form has to ask for what is missing."""
        return self.command.fill_form is not None and self._lacks_options

    async def run(self, context: Context) -> str:
        """Carry it out; what happened. Raises CommandError, StorageError."""
        if self._lacks_options:
            raise CommandError(
                context.texts("usage", usage=context.texts.command(self.command.usage))
            )
        return await self.command.handler(context, **self.values)

    async def fill_form(self, context: Context) -> dict[str, str]:
        """The values that its form begins with, by option. Raises CommandError, StorageError."""
        assert self.command.fill_form is not None
        in_form = {option.name for option in self.command.form_options}
        before = {name: value for name, value in self.values.items() if name not in in_form}
        typed = {name: value for name, value in self.values.items() if name in in_form}
        return await self.command.fill_form(context, **before) | typed

    @property
    def _lacks_options(self) -> bool:
        return any(o.required and o.name not in self.values for o in self.command.options)


@dataclass(frozen=True)
class CommandResult:
    """What came of a command, for the person who gave it.

    text: what happened, or why nothing did (`done` is false then).
    access_denied: whether that is because they may not use the bot here at all.
    then: the command that is proposed now, with a form of its own.
    """

    text: str
    done: bool = True
    access_denied: bool = False
    then: Command | None = None


_WORD = re.compile(r"[\w-]+")
"""What a command's name is made of; a path has more."""


def is_command(text: str, texts: Texts) -> bool:
    """Whether a message is a command typed as text, or nearly one.

    Any other word with a slash, such as a path, begins a question.
    """
    if not text.startswith("/") or text[1:2].isspace():
        return False
    name = texts.plain_command(text).removeprefix("/").split(maxsplit=1)[:1]
    return bool(name and _WORD.fullmatch(name[0]) and _nearest(name[0].lower()))


def typed_call(text: str, texts: Texts) -> CommandCall | None:
    """The call that a message makes; None if the message isn't a command.

    Raises CommandError for a command that lacks something, and for one that is nearly a command:
    `/efort` gets a hint.
    """
    return parse(text, texts) if is_command(text, texts) else None


def parse(line: str, texts: Texts) -> CommandCall:
    """The call in a typed line such as `/effort high`.

    It may lack options at its end that a form can ask for. Raises CommandError.
    """
    command, rest = _find(texts.plain_command(line).removeprefix("/"), texts)
    values: dict[str, str] = {}
    options = command.typed_options
    if options and options[-1].kind is OptionKind.CHANNEL:
        before, _, last = rest.rpartition(" ")
        if last.startswith(("#", "<#")):
            values[options[-1].name], rest = last, before.strip()
        options = options[:-1]
    for option in options:
        if not rest:
            if option.required and option not in command.form_options:
                raise CommandError(texts("usage", usage=texts.command(command.usage)))
            break
        if option.kind in (OptionKind.TEXT, OptionKind.SINCE):
            value, rest = rest, ""
        else:
            value, _, rest = rest.partition(" ")
            rest = rest.strip()
        values[option.name] = value
    if rest:
        raise CommandError(texts("usage", usage=texts.command(command.usage)))
    return CommandCall(command, values)


def _nearest(name: str) -> str | None:
    """The command or group of commands that is called `name`, or nearly so."""
    names = sorted({command.split()[0] for command in COMMANDS})
    return next(iter(get_close_matches(name, names, n=1)), None)


def _find(line: str, texts: Texts) -> tuple[Command, str]:
    """The command at the start of `line` and the rest of the line.

    `/persona riddles` means `/persona use riddles`, and `/persona` without more lists them.
    """
    first, _, rest = line.partition(" ")
    rest = rest.strip()
    if command := COMMANDS.get(first.lower()):
        return command, rest
    group = first.lower()
    subcommands = [name.split()[1] for name in COMMANDS if name.startswith(f"{group} ")]
    if not subcommands:
        nearest = _nearest(group)
        hint = (
            texts("did_you_mean", name=texts.command(f"/{nearest}"))
            if nearest
            else texts("try_help")
        )
        raise CommandError(texts("unknown_command", name=f"/{first}", hint=hint))
    word, _, after = rest.partition(" ")
    if word.lower() in subcommands:
        return COMMANDS[f"{group} {word.lower()}"], after.strip()
    return COMMANDS[f"{group} use" if rest else f"{group} list"], rest
