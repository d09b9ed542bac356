"""From the messages that were read to the question that the model is asked."""

from collections.abc import Sequence

from bot.conversation.commands import is_command
from bot.conversation.events import Message, Question
from bot.conversation.in_effect import InEffect


def question_of(
    messages: Sequence[Message],
    above: Sequence[Message],
    here: InEffect,
    notices: Sequence[str] = (),
) -> Question:
    """The last of `messages` with those before it, and what stands above them.

    Commands don't belong to a conversation: people give them only to the bot.
    """
    *history, newest = messages

    def is_said(message: Message) -> bool:
        return message.author.is_bot or not is_command(message.text, here.texts)

    return Question(
        newest,
        list(filter(is_said, history)),
        above=list(filter(is_said, above)),
        notices=[*notices, *newest.notices],
    )
