"""What Slack is sent."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.config import Config, Effort
from bot.conversation.commands import COMMANDS, CommandCall
from bot.conversation.events import Place
from bot.conversation.personas import all_personas
from bot.conversation.reply import Reply
from bot.conversation.status import what_the_app_does
from bot.conversation.texts import Texts
from bot.platforms.slack.blocks import ButtonValue, own_messages
from bot.platforms.slack.forms import form
from bot.platforms.slack.home import command_buttons, home
from bot.platforms.slack.layout import Draft, Layout
from bot.platforms.slack.private_view import PrivateLook, PrivateView
from bot.platforms.slack.workspace import Workspace
from tests.show_states import replies, said
from tests.show_states.state import Kind, State

WORKSPACE = Workspace("T1", "U0", AsyncWebClient(), frozenset())
PLACE, HOME = Place("slack", "T1", "C1"), Place("slack", "T1", "")
VALUE = ButtonValue("U0123456789", "1700000000.000100", "1700000000.000100", Effort.MEDIUM)


async def states(language: str) -> AsyncIterator[State]:
    """All of them, in the order in which people meet them."""
    texts = Texts(Config(), language, "slack")
    for name, reply in replies.waiting():
        status = {"status": what_the_app_does(reply, texts)}
        yield State("slack", name, Kind.STATUS, status)
    (waiting,) = Layout(texts).waiting(texts("thinking"), VALUE, plain=False)
    yield State("slack", "thinking, with a button", Kind.MESSAGE, _body(waiting))
    for name, reply in replies.shown(texts):
        for state in answer(name, reply, texts):
            yield state
    link = "https://home.slack.com/archives/C1/p1700000000000100"
    for name, reply in replies.summaries(texts, link, "2023-11-14 22:13 UTC"):
        for state in summary(name, reply, texts):
            yield state
    for name, line in said.lines(texts):
        for state in _private(name, line):
            yield state
    for code in ("restricted", "not_in_channel", "channel_not_found", "is_archived"):
        reason = texts(f"cannot_post_{code}", code="restricted_action")
        for state in _private(
            f"can't post: {code}", texts("cannot_post", channel="general", reason=reason)
        ):
            yield state
    late = texts("form_too_late", command="/bot-persona create")
    for blocks, text in own_messages(late):
        again = command_buttons(texts("form_open"), "/bot-persona create", "C1")
        yield State(
            "slack",
            "a form came too late",
            Kind.PRIVATE,
            {"text": text, "blocks": [*blocks, *again]},
        )
    async for line, told in said.commands(PLACE, language):
        for state in _private(line, told):
            yield state
    settings = await said.settings(HOME, language)
    personas = list(all_personas(Config(), []).values())
    yield State("slack", "Home", Kind.HOME, home(settings, personas, texts))
    for name in ("persona create", "persona edit"):
        view = form(CommandCall(COMMANDS[name], {"name": "pirate"}), {"text": "Arr."}, "C1", texts)
        yield State("slack", f"/{name}", Kind.FORM, view)


def answer(name: str, reply: Reply, texts: Texts) -> Iterator[State]:
    """The messages of an answer."""
    drafts = Layout(texts).answer(0, reply, VALUE, [], plain=False)
    for at, draft in enumerate(drafts, 1):
        called = name if len(drafts) == 1 else f"{name}, {at} of {len(drafts)}"
        yield State("slack", called, Kind.MESSAGE, _body(draft))


def summary(name: str, reply: Reply, texts: Texts) -> Iterator[State]:
    """The messages of a summary, or the line that tells how far it is."""
    begun = texts("summary_begun", channel="#general")
    heading = texts("summary_heading", channel="#general")
    look = PrivateLook(texts, "C1", None, "U1", "1700000000.000100", "", begun, heading)
    view = PrivateView(look, WORKSPACE)
    messages = view.messages(reply) if reply.state.final else [view.begun()]
    for blocks, text in messages:
        yield State("slack", name, Kind.PRIVATE, {"text": text, "blocks": [*blocks]})


def _private(name: str, text: str) -> Iterator[State]:
    for blocks, plain in own_messages(text):
        yield State("slack", name, Kind.PRIVATE, {"text": plain, "blocks": blocks})


def _body(draft: Draft) -> dict[str, Any]:
    return {"text": draft.text, "blocks": draft.blocks}
