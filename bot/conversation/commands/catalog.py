"""All commands by name."""

from bot.conversation.commands import effort, general, persona, setting
from bot.conversation.commands.definition import Command, Context


async def help_text(context: Context) -> str:
    """One line for each command, and that an AI answers."""
    usages = {context.texts.command(c.usage): c.description for c in COMMANDS.values()}
    width = max(map(len, usages))
    lines = [f"{usage:<{width}}  {description}" for usage, description in usages.items()]
    return "\n".join(["```", *lines, "```", context.texts("can_be_wrong")])


COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        *effort.COMMANDS,
        *persona.COMMANDS,
        *setting.COMMANDS,
        *general.COMMANDS,
        Command("help", "What the bot understands", help_text),
    )
}
