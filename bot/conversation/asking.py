"""A question, as the rights of what is called for it depend on it."""

from dataclasses import replace

from bot.conversation.events import Author, Question
from bot.conversation.in_effect import InEffect
from bot.tools import Asking


def asking(question: Question, here: InEffect) -> Asking:
    """Who asks where, and what the asker could see there."""
    messages = [*question.above, *question.history, question.message]
    return replace(
        asking_of(here, question.message.author),
        texts=[
            text
            for message in messages
            for text in (message.text, *(a.text for a in message.attachments))
            if text
        ],
        tainted=any(message.may_give_orders for message in messages),
        search=question.search,
    )


def asking_of(here: InEffect, author: Author) -> Asking:
    """The same for who has not asked anything yet."""
    place = here.place
    return Asking(
        platform=place.platform,
        server=place.server,
        channels=frozenset(filter(None, (place.channel, place.thread, place.category))),
        roles=author.roles,
        time_zone=here.settings.time_zone.value,
    )
