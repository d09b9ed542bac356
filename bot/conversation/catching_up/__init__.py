"""What was said in a channel, told to somebody who wasn't there."""

from bot.conversation.catching_up.citations import LINK_LABEL
from bot.conversation.catching_up.summary import Summary
from bot.conversation.catching_up.transcript import (
    CatchUp,
    Transcript,
    TranscriptMessage,
    UnreadableChannel,
)

__all__ = [
    "LINK_LABEL",
    "CatchUp",
    "Summary",
    "Transcript",
    "TranscriptMessage",
    "UnreadableChannel",
]
