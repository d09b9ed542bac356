"""How much of a conversation is read for a question: what a prompt may hold, and little more."""

import asyncio
from dataclasses import dataclass

from bot.client import InferenceError
from bot.conversation.budget import prompt_tokens
from bot.conversation.core import Core
from bot.conversation.in_effect import InEffect

CHARACTERS = 6
"""Characters a token that are read: most text has four to five, and the rest is left out."""
LARGE_CONTEXT = 131_072
"""Tokens that are taken for the context of a model that can't be asked yet."""
ASK_SECONDS = 2.0


@dataclass(frozen=True)
class ReadingLimits:
    """At most so many messages and about so many characters of them.

    above: messages that stand in the channel before the conversation begins.
    """

    messages: int
    characters: int
    above: int


async def reading_limits(core: Core, here: InEffect) -> ReadingLimits:
    """As the model's context and the settings have it."""
    try:
        async with asyncio.timeout(ASK_SECONDS):
            context = (await core.client.model_info()).context
    except (InferenceError, TimeoutError):
        context = LARGE_CONTEXT
    return ReadingLimits(
        here.config.conversation.max_messages,
        CHARACTERS * prompt_tokens(here.config, here.effort.value, context),
        here.settings.channel_messages.value,
    )
