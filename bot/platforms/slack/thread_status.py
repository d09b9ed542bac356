"""The status under a thread while an answer is made, and Slack's own Stop.

https://docs.slack.dev/ai/developing-agents, https://docs.slack.dev/ai/agent-sessions
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.platforms.slack.errors import describe, is_passing
from bot.platforms.slack.limits import CLEAR_SECONDS, SHOW_SECONDS, STATUS_SECONDS
from bot.platforms.slack.sending import Pace, retried
from bot.platforms.slack.workspace import Workspace

log = structlog.get_logger()


class ThreadStatus:
    """The status and the agent session of a thread. It is only for show: errors are let be."""

    def __init__(self, workspace: Workspace, pace: Pace, channel: str, thread: str) -> None:
        self._workspace = workspace
        self._pace = pace
        self._channel = channel
        self._thread = thread
        self._status = ""
        self._over = False
        self._session = False

    @property
    def session(self) -> bool:
        """Whether Slack offers its own Stop."""
        return self._session

    async def say(self, status: str) -> None:
        """Show a status; "" takes it away."""
        if status == self._status:
            return
        self._status, self._over = status, False
        try:
            if status:
                async with asyncio.timeout(SHOW_SECONDS):
                    await self._set_status(status)
            else:  # it would stand there for two minutes
                async with asyncio.timeout(CLEAR_SECONDS):
                    await retried(self._set_status, "")
        except (SlackClientError, OSError) as error:
            log.debug("slack shows no status", reason=describe(error))

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Say the status again before it lapses."""
        keeping = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            keeping.cancel()

    def is_over(self) -> None:
        """The answer is seen: the status need not be kept any longer."""
        self._over = True

    async def begin_session(self) -> bool:
        """Offer Slack's own Stop; False where it has none."""
        if not await self._pace.free_turn(self._workspace.team, "agents.sessions.setStatus"):
            return True  # many ask at once: /stop still works
        self._session = True
        try:
            async with asyncio.timeout(SHOW_SECONDS):
                answer = await self._set_session("processing")
        except SlackApiError as error:
            self._session = is_passing(error)  # it may have begun all the same
            log.debug("slack has no stop button here", reason=describe(error))
            return self._session
        except (SlackClientError, OSError) as error:
            log.debug("slack did not say whether it has a stop button", reason=describe(error))
            return True
        for warning in (answer.get("response_metadata") or {}).get("warnings", ()):
            log.warning(
                "slack's stop button does nothing: subscribe to agent_session_stopped",
                warning=warning,
            )
        return True

    def session_ended(self) -> None:
        """The end of a stream ended the session too."""
        self._session = False

    async def end(self) -> None:
        """Leave nothing behind that says that an answer is coming."""
        try:
            await self.say("")
        finally:
            if self._session:
                self._session = False
                await self._end_session()

    async def _end_session(self) -> None:
        await self._pace.turn(self._workspace.team, "agents.sessions.setStatus")
        try:
            async with asyncio.timeout(CLEAR_SECONDS):
                await retried(self._set_session, "active")
        except (SlackClientError, OSError) as error:
            log.debug("slack kept the stop button", reason=describe(error))

    async def _set_status(self, status: str) -> None:
        await self._workspace.client.assistant_threads_setStatus(
            channel_id=self._channel, thread_ts=self._thread, status=status
        )

    async def _set_session(self, status: str) -> AsyncSlackResponse:
        return await self._workspace.client.agents_sessions_setStatus(
            channel_id=self._channel, thread_ts=self._thread, status=status
        )

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(STATUS_SECONDS)
            if self._status and not self._over:
                status, self._status = self._status, ""
                await self.say(status)
