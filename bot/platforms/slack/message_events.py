"""Slack's messages: which of them are questions, and what becomes of those that change."""

from bot.config import AnswerMode
from bot.conversation.core import Core
from bot.platforms.background import Background
from bot.platforms.hearing import addressee, hear, hear_edit
from bot.platforms.joined import JoinedThreads
from bot.platforms.other_bots import OtherBots
from bot.platforms.slack.answers import Answers
from bot.platforms.slack.incoming import SlackMessage
from bot.platforms.slack.messages import (
    Payload,
    is_direct,
    is_of_app,
    is_spoken,
    key_of,
    place_of,
    thread_of,
)
from bot.platforms.slack.workspace import Workspace


class MessageEvents:
    """Takes what Slack tells of messages, in every workspace."""

    def __init__(self, core: Core, answers: Answers, background: Background) -> None:
        self._core = core
        self._answers = answers
        self._background = background
        self._other_bots = OtherBots()
        self._joined = JoinedThreads(core.store)

    async def take(self, event: Payload, workspace: Workspace) -> None:
        """What Slack tells of a message: it was said, edited or deleted."""
        channel = event["channel"]
        match event.get("subtype"):
            case "message_changed" if event["message"].get("subtype") == "tombstone":
                self._deleted(channel, event["message"])
            case "message_changed" if event["message"].get("user") == workspace.me:
                pass  # the bot edits its answers
            case "message_changed":
                self._background.start(self._changed(channel, event["message"], workspace))
            case "message_deleted":
                self._deleted(
                    channel, event.get("previous_message", {}) | {"ts": event["deleted_ts"]}
                )
            case _:
                await self._said(event, workspace)

    async def _said(self, message: Payload, workspace: Workspace) -> None:
        """Take a message, if its author may ask and it is for the bot."""
        if self._may_ask(message, workspace) and await self._is_for_me(message, workspace):
            if not is_direct(message["channel"]):
                place = place_of(workspace.team, message["channel"], thread_of(message))
                self._joined.turned_to(place, key_of(message["channel"], message["ts"]))
            await self.hear(message, workspace)

    async def _changed(self, channel: str, message: Payload, workspace: Workspace) -> None:
        """The asker edits the question: the answer is made again in place.

        An edit may also make a question of what was none: by adding the mention, or its words.
        """
        self._answers.conversations.forget(channel, message)
        exchanges, key = self._answers.exchanges, key_of(channel, message["ts"])
        await exchanges.until_heard(key)
        exchange = exchanges.to(key)
        edited = message | {"channel": channel}
        if exchange is None:
            if "edited" not in message:
                return  # Slack adds previews to what was said
            if exchanges.was_heard(key):
                await self.hear(edited, workspace, again=True)
            else:
                await self._said(edited, workspace)
        elif exchange.question.get("text") != message.get("text"):
            exchange.question = exchange.question | edited
            incoming = self._incoming(exchange.question, workspace)
            self._background.start(hear_edit(incoming, exchange, self._core))

    def _deleted(self, channel: str, message: Payload) -> None:
        """The asker deletes the question: generation stops and the answer goes.

        Somebody takes the answer away: generation stops.
        """
        self._answers.conversations.forget(channel, message)
        exchanges, key = self._answers.exchanges, key_of(channel, message["ts"])
        if exchange := exchanges.to(key):
            self._background.start(exchange.delete())
        elif exchange := exchanges.showing(key):
            exchange.taken_away(message["ts"])

    def _may_ask(self, event: Payload, workspace: Workspace) -> bool:
        """Whether its author may be answered: a person, or another app where that is allowed."""
        if not is_spoken(event) or event["user"] == workspace.me:
            return False
        place = place_of(workspace.team, event["channel"], thread_of(event))
        if not is_of_app(event):
            self._other_bots.person_spoke(place)
            return True
        if f"<@{workspace.me}>" not in event.get("text", ""):
            return False
        return self._other_bots.may_ask(place, self._core.config())

    async def _is_for_me(self, event: Payload, workspace: Workspace) -> bool:
        channel = event["channel"]
        if is_direct(channel) or f"<@{workspace.me}>" in event.get("text", ""):
            return True
        if addressee(event.get("text", "")):
            return False  # another person's, as the bot isn't mentioned
        place = place_of(workspace.team, channel, thread_of(event))
        settings = await self._core.settings(place)
        if settings.answer.value is AnswerMode.ALWAYS:
            return True
        if settings.thread_mentions.value or thread_of(event) == event["ts"]:
            return False
        if event.get("parent_user_id") == workspace.me:
            return True
        since = await self._joined.since(place)
        # What comes late was said before the bot took part.
        return since is not None and since < key_of(channel, event["ts"])

    async def hear(self, event: Payload, workspace: Workspace, *, again: bool = False) -> None:
        """See hearing.hear."""
        incoming, exchanges = self._incoming(event, workspace), self._answers.exchanges
        await hear(incoming, self._core, exchanges, self._background, again=again)

    def _incoming(self, event: Payload, workspace: Workspace) -> SlackMessage:
        return SlackMessage(event, workspace, self._answers, self._background)
