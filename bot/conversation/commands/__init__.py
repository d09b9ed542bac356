"""What people can tell the bot to do."""

from bot.conversation.commands.calls import Call, Result, is_command, parse
from bot.conversation.commands.catalog import COMMANDS
from bot.conversation.commands.definition import (
    Command,
    CommandError,
    Context,
    Conversation,
    Option,
    OptionKind,
)

__all__ = [
    "COMMANDS",
    "Call",
    "Command",
    "CommandError",
    "Context",
    "Conversation",
    "Option",
    "OptionKind",
    "Result",
    "is_command",
    "parse",
]
