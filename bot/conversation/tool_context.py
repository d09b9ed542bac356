"""The context of a question's tool calls: what their rights depend on."""

from dataclasses import replace

from bot.conversation.events import Author, Question
from bot.conversation.in_effect import InEffect
from bot.tools import ToolContext


def context_of_question(question: Question, here: InEffect) -> ToolContext:
    """The context of calls that answer a question, with what the asker could see."""
    messages = [*question.above, *question.history, question.message]
    return replace(
        context_of_author(here, question.message.author),
        texts=[
            text
            for message in messages
            for text in (message.text, *(a.text for a in message.attachments))
            if text
        ],
        tainted=any(message.may_give_orders for message in messages),
        search=question.search,
    )


def context_of_author(here: InEffect, author: Author) -> ToolContext:
    """The context of an author who has not asked anything yet."""
    place = here.place
    return ToolContext(
        platform=place.platform,
        server=place.server,
        channels=frozenset(filter(None, (place.channel, place.thread, place.category))),
        roles=author.roles,
        time_zone=here.settings.time_zone.value,
    )
