"""What an earlier run left on Slack: answers that it began, and questions that it only took."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from slack_sdk.errors import SlackApiError

from bot.conversation.core import Core
from bot.platforms.recovery import CutOffAnswer, CutOffState
from bot.platforms.slack.answers import Answers
from bot.platforms.slack.errors import describe
from bot.platforms.slack.messages import Payload, asked_at, message_at, place_of, thread_of
from bot.platforms.slack.workspace import Workspace
from bot.storage import RunningAnswer, TakenQuestion

log = structlog.get_logger()


class SlackRecovery:
    """See recovery.Recovery, for one workspace. `hear` takes a message."""

    def __init__(
        self,
        core: Core,
        workspace: Workspace,
        answers: Answers,
        hear: Callable[[Payload, Workspace], Awaitable[None]],
    ) -> None:
        self._core = core
        self._workspace = workspace
        self._answers = answers
        self._hear = hear

    def is_mine(self, server: str) -> bool:
        """Slack gives what happens anywhere to any process."""
        return True

    async def hear_again(self, taken: TakenQuestion) -> None:
        """See recovery.Recovery."""
        channel, _, ts = taken.message.partition(":")
        message = await message_at(self._workspace, channel, taken.thread or ts, ts)
        if message is not None:
            await self._hear(message | {"channel": channel}, self._workspace)

    async def find_cut_off(self, running: RunningAnswer) -> CutOffAnswer | None:
        """See recovery.Recovery. Raises SlackApiError, StorageError."""
        if known := self._answers.exchanges.to(running.question):
            return CutOffAnswer(known)
        workspace = self._workspace
        channel, _, ts = running.question.partition(":")
        thread = running.thread or ts
        state = CutOffState.ANSWER
        try:
            question = await asked_at(workspace, channel, thread, ts)
        except SlackApiError as error:
            log.warning("slack: a question can't be read", reason=describe(error))
            question, state = None, CutOffState.UNREADABLE
        if question is None:
            question = {"user": running.asker, "ts": ts, "thread_ts": thread}
            state = CutOffState.DELETED if state is CutOffState.ANSWER else state
        shown = await self._answers.conversations.threads.answer_to(workspace, channel, question)
        shown = shown or list(running.messages)
        for message in shown:
            with suppress(SlackApiError):  # only a stream that is open has to be ended
                await workspace.client.chat_stopStream(channel=channel, ts=message)
        here = await self._core.read(place_of(workspace.team, channel, thread_of(question)))
        return CutOffAnswer(self._answers.open(workspace, channel, question, here, shown), state)
