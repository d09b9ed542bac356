"""A message to the bot on Slack, as `hearing` takes it."""

import structlog
from slack_sdk.errors import SlackApiError

from bot.conversation.commands import Command, Conversation
from bot.conversation.events import Author, QuestionKey
from bot.conversation.gate import Admission
from bot.platforms.background import Background
from bot.platforms.slack.answers import Answers
from bot.platforms.slack.catching_up import Requester
from bot.platforms.slack.errors import describe, is_passing
from bot.platforms.slack.home import command_buttons
from bot.platforms.slack.messages import Payload, place_of, question_key, thread_of
from bot.platforms.slack.reader import has_words, typed
from bot.platforms.slack.whisper import speak, whisper
from bot.platforms.slack.workspace import Workspace

log = structlog.get_logger()

TITLE_LENGTH = 200


class SlackMessage:
    """See hearing.IncomingMessage."""

    def __init__(
        self, event: Payload, workspace: Workspace, answers: Answers, background: Background
    ) -> None:
        self._event = event
        self._workspace = workspace
        self._channel = str(event["channel"])
        self._thread = thread_of(event)
        self._user = str(event["user"])
        self._answers = answers
        self._background = background
        self.place = place_of(workspace.team, self._channel, self._thread)

    @property
    def key(self) -> QuestionKey:
        return question_key(self._workspace, self._channel, self._event["ts"])

    @property
    def conversation(self) -> Conversation:
        event = self._event
        requester = Requester(
            self._workspace,
            self._channel,
            event.get("thread_ts"),
            self._user,
            before=str(event["ts"]),
            message=event,
        )
        return self._answers.conversation(requester, self._thread)

    async def author(self) -> Author:
        return await self._workspace.author(self._user)

    async def text(self) -> str:
        return await typed(self._event, self._workspace)

    def unanswerable(self, text: str) -> str | None:
        asks = has_words(self._event, self._workspace) or self._event.get("thread_ts")
        return None if asks else "empty_question"

    async def say(self, line: str) -> None:
        try:
            await speak(self._workspace, self._channel, self._thread, line)
        except SlackApiError as error:
            if is_passing(error):
                raise
            log.warning("slack refused a line, only its author sees it", reason=describe(error))
            await whisper(self._workspace, self._channel, self._user, line)

    async def whisper(self, line: str) -> None:
        if self.place.direct:
            return await self.say(line)
        thread = self._event.get("thread_ts")
        return await whisper(self._workspace, self._channel, self._user, line, thread)

    async def propose(self, label: str, command: Command) -> None:
        under = command_buttons(label, f"/{command.name}", self._channel)
        where = "" if self.place.direct else self._channel
        thread = self._event.get("thread_ts")
        await whisper(self._workspace, where, self._user, label, thread, under=under)

    async def answer(self, admission: Admission) -> None:
        here = admission.here
        exchange = self._answers.open(self._workspace, self._channel, self._event, here)
        self._background.start(exchange.answer(admission))
        if here.place.direct and self._thread == self._event["ts"]:
            await self._set_title()

    async def _set_title(self) -> None:
        """Give a new conversation with the agent its first words as title; only for show."""
        title = " ".join((await self.text()).split())[:TITLE_LENGTH]
        try:
            await self._workspace.client.assistant_threads_setTitle(
                channel_id=self._channel, thread_ts=self._thread, title=title
            )
        except (SlackApiError, OSError) as error:
            log.debug("slack shows no title", reason=describe(error))
