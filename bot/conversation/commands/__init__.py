"""All commands, and how a typed line becomes one of them."""

from difflib import get_close_matches

from bot.conversation.commands import effort, general, persona
from bot.conversation.commands.definition import (
    Command,
    CommandError,
    Context,
    Conversation,
    Option,
    OptionKind,
)
from bot.conversation.texts import Texts


async def help_text(context: Context) -> str:
    """One line a command."""
    usages = {context.texts.command(c.usage): c.description for c in COMMANDS.values()}
    width = max(map(len, usages))
    lines = [f"{usage:<{width}}  {description}" for usage, description in usages.items()]
    return "\n".join(["```", *lines, "```"])


COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        *effort.COMMANDS,
        *persona.COMMANDS,
        *general.COMMANDS,
        Command("help", "What the bot understands", help_text),
    )
}

__all__ = [
    "COMMANDS",
    "Command",
    "CommandError",
    "Context",
    "Conversation",
    "Option",
    "OptionKind",
    "find_form",
    "is_command",
    "is_private",
    "run_text",
]


def is_command(text: str) -> bool:
    """Whether a message is a command typed as text."""
    return text.startswith("/") and text[1:2].isalpha()


async def run_text(line: str, context: Context) -> str:
    """Carry out a typed line such as `/effort high`. Raises CommandError."""
    command, rest = _find(line.removeprefix("/"), context.texts)
    values = _values(command, rest, context.texts)
    return await command.handler(context, **values)


def is_private(line: str, texts: Texts) -> bool:
    """Whether the answer to a typed line is for the person alone; that to a mistake is."""
    try:
        return _find(line.removeprefix("/"), texts)[0].private
    except CommandError:
        return True


def find_form(line: str, texts: Texts) -> tuple[Command, dict[str, str]] | None:
    """The command in a typed line that needs its form, and the options that come before the form.

    None where the line has all it needs, or where its command has no form. Raises CommandError.
    """
    command, rest = _find(line.removeprefix("/"), texts)
    before = [option for option in command.typed_options if option not in command.form_options]
    words = rest.split()
    needed = [option for option in command.typed_options if option.required]
    if command.fill_form is None or len(words) >= len(needed) or len(words) < len(before):
        return None
    return command, {option.name: word for option, word in zip(before, words, strict=False)}


def _find(line: str, texts: Texts) -> tuple[Command, str]:
    """The command at the start of `line` and the rest of the line.

    `/persona riddles` means `/persona use riddles`, and `/persona` alone lists them.
    """
    first, _, rest = texts.plain_command(line).removeprefix("/").partition(" ")
    rest = rest.strip()
    if command := COMMANDS.get(first.lower()):
        return command, rest
    group = first.lower()
    subcommands = [name.split()[1] for name in COMMANDS if name.startswith(f"{group} ")]
    if not subcommands:
        names = sorted({name.split()[0] for name in COMMANDS})
        nearest = get_close_matches(group, names, n=1)
        hint = (
            texts("did_you_mean", name=texts.command(f"/{nearest[0]}"))
            if nearest
            else texts("try_help")
        )
        raise CommandError(texts("unknown_command", name=f"/{first}", hint=hint))
    word, _, after = rest.partition(" ")
    if word.lower() in subcommands:
        return COMMANDS[f"{group} {word.lower()}"], after.strip()
    return COMMANDS[f"{group} use" if rest else f"{group} list"], rest


def _values(command: Command, rest: str, texts: Texts) -> dict[str, str]:
    values: dict[str, str] = {}
    for option in command.typed_options:
        if not rest:
            if option.required:
                raise CommandError(texts("usage", usage=texts.command(command.usage)))
            break
        if option.kind is OptionKind.TEXT:
            value, rest = rest, ""
        else:
            value, _, rest = rest.partition(" ")
            rest = rest.strip()
        values[option.name] = value
    if rest:
        raise CommandError(texts("usage", usage=texts.command(command.usage)))
    return values
