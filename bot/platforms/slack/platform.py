"""Slack: its events become questions and commands, replies become views."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import structlog
from aiohttp import ClientError
from slack_bolt.async_app import AsyncApp
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.conversation.core import Core
from bot.exit_code import ExitCode
from bot.platforms.background import Background
from bot.platforms.base import PlatformUnusable
from bot.platforms.recovery import recover
from bot.platforms.retrying import out_of_reach, reached
from bot.platforms.slack.answers import Answers
from bot.platforms.slack.blocks import PREFIX
from bot.platforms.slack.errors import ADVICE, code_of, describe, is_passing
from bot.platforms.slack.forms import CALLBACK
from bot.platforms.slack.home import COMMAND
from bot.platforms.slack.installations import EVENTS_PATH, new_app, scopes_for
from bot.platforms.slack.interactions import CATCH_UP, Ack, Body, Interactions
from bot.platforms.slack.listener import listening
from bot.platforms.slack.message_events import MessageEvents
from bot.platforms.slack.messages import (
    Payload,
    place_of,
    thread_of,
)
from bot.platforms.slack.recovering import SlackRecovery
from bot.platforms.slack.socket_mode import SocketModeHandler
from bot.platforms.slack.workspace import Workspace
from bot.storage import StorageError

log = structlog.get_logger()


class SlackPlatform:
    """The app, by Socket Mode or HTTP, in one workspace or many."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._background = Background((SlackApiError, OSError, ClientError), describe)
        self._answers = Answers(core, self._background)
        self._messages = MessageEvents(core, self._answers, self._background)
        self._interactions = Interactions(core, self._answers, self._background)
        self._workspaces: dict[str, Workspace] = {}
        self._stopping = asyncio.Event()

    # Connection

    async def run(self) -> None:
        """See base.Platform. Raises PlatformUnusable."""
        config = self._core.config().slack
        if config.problems:
            raise PlatformUnusable(config.problems[0])
        app = await new_app(config, self._core.store)
        self._listen(app)
        identity = None
        try:
            if app.client.token:
                identity = await self._check_token(app)
            async with AsyncExitStack() as stack:
                if config.listen:
                    await self._serve(app, config.listen, stack)
                if token := config.app_token.get_secret_value():
                    handler = SocketModeHandler(app, token)
                    stack.push_async_callback(handler.close_async)
                    await self._connect(handler)
                if identity is not None:
                    self._met(identity["team_id"], identity["user_id"], app.client)
                await self._stopping.wait()
            # Slack now gives what happens to another connection, or to the next run.
            await self._background.done()
        except (OSError, ClientError) as error:
            raise out_of_reach("Slack", config.api_url, error, passing=True) from error

    def stop(self) -> None:
        """See base.Platform."""
        self._stopping.set()

    async def _check_token(self, app: AsyncApp) -> AsyncSlackResponse:
        """Whether Slack accepts the token, and what it may do. Raises PlatformUnusable."""
        try:
            address = self._core.config().slack.api_url
            answer = await reached("Slack", address, is_passing, app.client.auth_test)
        except SlackApiError as error:
            raise _refused("slack.bot_token", error) from error
        granted = answer.headers.get("x-oauth-scopes", "")
        needed = scopes_for(self._core.config().slack)
        if granted and (missing := sorted(needed - set(granted.split(",")))):
            log.warning("slack: scopes are missing; add them and install again", missing=missing)
        return answer

    async def _connect(self, handler: SocketModeHandler) -> None:
        client = handler.client
        try:  # connect_async would try a wrong token for ever
            address = self._core.config().slack.api_url
            client.wss_uri = await reached("Slack", address, is_passing, client.issue_new_wss_url)
        except SlackApiError as error:
            raise _refused("slack.app_token", error) from error
        await handler.connect_async()  # type: ignore[no-untyped-call]
        log.info("slack is connected")

    async def _serve(self, app: AsyncApp, listen: str, stack: AsyncExitStack) -> None:
        host, _, port = listen.rpartition(":")
        try:
            address = await stack.enter_async_context(listening(app, host.strip("[]"), int(port)))
        except OSError as error:
            reason = f"slack.listen: {listen} can't be used: {error.strerror or error}"
            raise PlatformUnusable(reason, ExitCode.FAILURE) from error
        log.info("slack is listened to", address=address, path=EVENTS_PATH)

    def _listen(self, app: AsyncApp) -> None:
        app.use(self._unless_stopping)
        app.event("message")(self._on_message)
        app.event("app_mention")(self._on_message)
        app.event("app_home_opened")(self._on_home_opened)
        app.event("agent_session_stopped")(self._on_session_stopped)
        app.command(re.compile(r"/\w+"))(self._on_command)
        app.action(re.compile(f"^{PREFIX}"))(self._on_button)
        app.action(re.compile(f"^{COMMAND}"))(self._on_command_button)
        app.view(CALLBACK)(self._on_form)
        app.message_shortcut(CATCH_UP)(self._on_catch_up)
        app.error(self._on_error)

    def _workspace(self, context: AsyncBoltContext, body: Body) -> Workspace:
        """The workspace that something happened in, with a client that may act there."""
        team = _team_of(context, body)
        known = self._workspaces.get(team)
        assert context.client is not None
        if known is None or known.client.token != context.client.token:
            known = self._met(team, str(context.bot_user_id), context.client)
        return known

    def _met(self, team: str, me: str, client: AsyncWebClient) -> Workspace:
        """A workspace that is new to this run: go on with the answers that an earlier one began."""
        first = team not in self._workspaces
        workspace = Workspace(team, me, client, self._core.config().slack.moderator_groups)
        self._workspaces[team] = workspace
        if first:
            recovery = SlackRecovery(self._core, workspace, self._answers, self._messages.hear)
            left = recover("slack", f"{team}:{me}", recovery, self._core, self._background)
            self._background.start(left)
        return workspace

    # Events

    async def _unless_stopping(self, next: Callable[[], Awaitable[BoltResponse]]) -> BoltResponse:
        """Acknowledge nothing at the end: Slack sends it again, to who can answer it."""
        return BoltResponse(status=503) if self._stopping.is_set() else await next()

    async def _on_message(self, event: Payload, body: Body, context: AsyncBoltContext) -> None:
        await self._messages.take(event, self._workspace(context, body))

    async def _on_session_stopped(
        self, event: Payload, body: Body, context: AsyncBoltContext
    ) -> None:
        """Slack's own Stop was pressed: it has ended the streams, the engine is ours to free."""
        team, thread = self._workspace(context, body).team, event["thread_ts"]
        for exchange in self._answers.exchanges.at(place_of(team, event["channel"], thread)):
            if thread_of(exchange.question) == thread:
                exchange.stop()

    async def _on_home_opened(self, event: Payload, body: Body, context: AsyncBoltContext) -> None:
        workspace, shows = self._workspace(context, body), self._interactions
        if event.get("tab") == "messages":
            self._background.start(shows.suggest(workspace, event["channel"]))
        else:
            self._background.start(shows.show_home(workspace, event["user"]))

    # Interactions: carried out in the background, as what returns here is acknowledged

    async def _on_command(self, ack: Ack, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        workspace = self._workspace(context, body)
        self._background.start(self._interactions.command(workspace, body))

    async def _on_button(self, ack: Ack, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        workspace = self._workspace(context, body)
        self._background.start(self._interactions.press(workspace, body))

    async def _on_command_button(self, ack: Ack, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        workspace = self._workspace(context, body)
        self._background.start(self._interactions.button_command(workspace, body))

    async def _on_catch_up(self, ack: Ack, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        await self._interactions.catch_up(self._workspace(context, body), body)

    async def _on_form(self, ack: Ack, body: Body, context: AsyncBoltContext) -> None:
        await self._interactions.submit(self._workspace(context, body), ack, body)

    async def _on_error(self, error: Exception) -> None:
        if isinstance(error, SlackApiError | OSError | ClientError):
            log.warning("slack refused, or was out of reach", reason=describe(error))
        elif isinstance(error, StorageError):
            log.error("the database failed", error=str(error))
        else:
            log.error("an event could not be handled", exc_info=error)


def _team_of(context: AsyncBoltContext, body: Body) -> str:
    """The workspace's id: Bolt has none where a whole organisation installed the app."""
    return str(context.team_id or body.get("team_id") or context.enterprise_id)


def _refused(token: str, error: SlackApiError) -> PlatformUnusable:
    code = code_of(error)
    if is_passing(error):
        return PlatformUnusable(f"Slack is out of order ({code})", ExitCode.FAILURE)
    advice = ADVICE.get(code, "see its documentation")
    return PlatformUnusable(f"{token}: Slack does not accept it ({code}): {advice}")
