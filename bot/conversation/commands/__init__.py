"""The commands that people can give the bot."""

from bot.conversation.commands.calls import (
    CommandCall,
    CommandResult,
    is_command,
    parse,
    typed_call,
)
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
    "Command",
    "CommandCall",
    "CommandError",
    "CommandResult",
    "Context",
    "Conversation",
    "Option",
    "OptionKind",
    "is_command",
    "parse",
    "typed_call",
]
