"""What Discord is sent."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from discord.http import handle_message_parameters

from bot.config import Config, Effort
from bot.conversation.commands import COMMANDS
from bot.conversation.events import Place
from bot.conversation.reply import Reply
from bot.conversation.texts import Texts
from bot.platforms.buttons import Action
from bot.platforms.discord.buttons import ButtonId, deletion_view
from bot.platforms.discord.forms import CommandForm, QuestionForm
from bot.platforms.discord.layout import Layout, Look
from bot.platforms.discord.limits import CONTENT_LENGTH
from bot.platforms.discord.messages import OWN_MESSAGE, own_line, own_message
from bot.platforms.discord.permissions import MissingPermission
from bot.platforms.markdown.splitting import split_markdown
from tests.show_states import replies, said
from tests.show_states.state import Kind, State

PLACE = Place("discord", "server", "channel")
LACKING = {
    "Send Messages": "send",
    "Create Public Threads": "thread",
    "Read Message History": "history",
    "Embed Links": "embed",
    "Attach Files": "file",
}
ASKER, QUESTION, ANSWER = 10**18, 10**18 + 1, 10**18 + 2
"""As long as Discord's ids are."""


async def states(language: str) -> AsyncIterator[State]:
    """All of them, in the order in which people meet them."""
    texts = Texts(Config(), language, "discord")
    for name, reply in (*replies.waiting(), *replies.shown(texts)):
        for state in answer(name, reply, texts):
            yield state
    link = "https://discord.com/channels/1/2/3"
    for name, reply in replies.summaries(texts, link, "<t:1700000000:f>"):
        heading = texts("summary_heading", channel="<#2>")
        for state in answer(name, reply, texts, private=True, heading=heading):
            yield state
    for key in ("summary_hidden", "summary_in_private"):
        yield _private(key, own_line(texts(key)))
    for name, line in said.lines(texts):
        yield _private(name, own_line(line))
    yield _private("content_hidden", own_line(texts("content_hidden")))
    for permission, effect in LACKING.items():
        line = MissingPermission(permission, effect).line(texts)
        yield _private(f"lacks a permission: {effect}", own_line(line))
    pressed = ButtonId(Action.DELETE, ASKER, QUESTION, Effort.MEDIUM)
    ask = deletion_view(pressed, ANSWER, texts)
    yield _private("delete asks back", own_line(texts("delete_ask")), view=ask)
    async for line, told in said.commands(PLACE, language):
        for part in split_markdown(told, CONTENT_LENGTH):
            yield _private(line, part.text)
        if line in ("/help", "/effort max"):
            for part in split_markdown(told, CONTENT_LENGTH - len(OWN_MESSAGE)):
                payload = _payload(own_message(part.text))
                yield State("discord", f"@bot {line}", Kind.MESSAGE, payload)
    for name in ("persona create", "persona edit"):
        form = CommandForm(COMMANDS[name], {"text": "Arr."}, texts, _unused)
        yield State("discord", f"/{name}", Kind.FORM, form.to_dict())
    yield State("discord", texts("ask_title"), Kind.FORM, QuestionForm(texts, _unused).to_dict())


def answer(name: str, reply: Reply, texts: Texts, **look: Any) -> Iterator[State]:
    """The messages of an answer."""
    layout = Layout(Look(texts, ASKER, QUESTION, **look))
    drafts = layout.answer(reply)
    for at, draft in enumerate(drafts, 1):
        called = name if len(drafts) == 1 else f"{name}, {at} of {len(drafts)}"
        payload = _payload(draft.content, **layout.options(draft, reply.effort))
        yield State("discord", called, Kind.MESSAGE, payload)


def _private(name: str, text: str, **options: Any) -> State:
    return State("discord", name, Kind.PRIVATE, _payload(text, **options))


def _payload(content: str, **options: Any) -> dict[str, Any]:
    """The body of the request that discord.py sends."""
    with handle_message_parameters(content, **options) as parameters:
        assert parameters.payload is not None
        return parameters.payload


async def _unused(*arguments: Any, **options: Any) -> Any:
    raise NotImplementedError
