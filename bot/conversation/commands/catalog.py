"""All commands by name."""

from bot.conversation.commands import effort, general, persona, setting, summary, tools
from bot.conversation.commands.definition import Command, Context
from bot.conversation.texts import Texts


def help_in(texts: Texts) -> str:
    """How to ask, what the buttons do, and two lines for each command: 60 columns at most."""
    lines = [texts("help_ask"), "", texts("help_buttons"), "", texts("help_commands")]
    for command in COMMANDS.values():
        lines += [f"  {texts.command(command.usage)}", f"    {texts(command.about)}"]
    return "\n".join(["```", *lines, "```", texts("can_be_wrong")])


async def help_text(context: Context) -> str:
    return help_in(context.texts)


COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        *effort.COMMANDS,
        *persona.COMMANDS,
        *summary.COMMANDS,
        *setting.COMMANDS,
        *tools.COMMANDS,
        *general.COMMANDS,
        Command("help", help_text),
    )
}
