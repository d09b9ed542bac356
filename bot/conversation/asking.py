"""A question, as the rights of what is called for it depend on it."""

from bot.conversation.events import Question
from bot.conversation.in_effect import InEffect
from bot.tools import Asking


def asking(question: Question, here: InEffect) -> Asking:
    """Who asks where, and what the asker could see there."""
    place, author = here.place, question.message.author
    messages = [*question.above, *question.history, question.message]
    return Asking(
        platform=place.platform,
        server=place.server,
        channels=frozenset(filter(None, (place.channel, place.thread, place.category))),
        roles=author.roles,
        time_zone=here.settings.time_zone.value,
        texts=[
            text
            for message in messages
            for text in (message.text, *(a.text for a in message.attachments))
            if text
        ],
        tainted=any(message.may_give_orders for message in messages),
        search=question.search,
    )
