"""`/summary`: what was said here."""

from datetime import datetime

from bot.conversation.commands.definition import Command, CommandError, Context, Option, OptionKind
from bot.conversation.since import parse_since


async def summary(context: Context, since: str = "", channel: str = "") -> str:
    """Begin; the summary comes by itself."""
    try:
        begin = (
            parse_since(since, datetime.now(context.here.zone_of(context.author)))
            if since
            else None
        )
    except ValueError as error:
        raise CommandError(context.texts("summary_bad_since", found=since)) from error
    await context.conversation.summarize(context.here, context.author, begin, channel)
    return ""


SINCE = Option(OptionKind.SINCE, "option_since", False)
CHANNEL = Option(OptionKind.CHANNEL, "option_channel", False)

COMMANDS = [Command("summary", summary, (SINCE, CHANNEL))]
