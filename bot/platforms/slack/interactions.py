"""What people press, type as slash commands and fill in: acknowledged first, then carried out."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiohttp import ClientError
from slack_sdk.errors import SlackApiError

from bot.conversation.commands import (
    COMMANDS,
    CommandCall,
    CommandError,
    CommandResult,
    Context,
    parse,
)
from bot.conversation.core import Core
from bot.conversation.events import Author
from bot.conversation.in_effect import InEffect
from bot.conversation.texts import Texts
from bot.platforms.background import Background
from bot.platforms.buttons import press
from bot.platforms.slack.answers import Answers, SlackExchange
from bot.platforms.slack.blocks import ButtonValue, action_of
from bot.platforms.slack.catching_up import Requester, time_of
from bot.platforms.slack.errors import describe, is_late, is_passing, messages_of
from bot.platforms.slack.forms import form, submitted
from bot.platforms.slack.home import command_buttons, home, plain_home
from bot.platforms.slack.limits import OPEN_SECONDS
from bot.platforms.slack.messages import place_of
from bot.platforms.slack.responding import respond
from bot.platforms.slack.sending import retried
from bot.platforms.slack.whisper import whisper
from bot.platforms.slack.workspace import Workspace
from bot.storage import StorageError

log = structlog.get_logger()

CATCH_UP = "gptoss-catch-up"
"""The callback_id of the message shortcut."""
Ack = Callable[..., Awaitable[Any]]
Body = dict[str, Any]


class Interactions:
    """Answers slash commands, buttons, forms, the Home tab and the agent's pane."""

    def __init__(self, core: Core, answers: Answers, background: Background) -> None:
        self._core = core
        self._answers = answers
        self._background = background

    async def command(self, workspace: Workspace, body: Body) -> None:
        """A slash command was given; the answer goes to its own address, wherever the bot is."""
        line = f"{body['command']} {body.get('text', '')}".strip()
        user, channel = body["user_id"], body["channel_id"]
        url = body["response_url"]
        result = await self._run(workspace, line, user, channel, body["trigger_id"], url)
        if result is not None:
            await respond(workspace, url, channel, user, result.text)

    async def button_command(self, workspace: Workspace, body: Body) -> None:
        """A button gives a command: in a channel, or for the whole workspace on the Home tab."""
        user, pressed = body["user"]["id"], json.loads(body["actions"][0]["value"])
        channel = pressed.get("channel", "")
        result = await self._run(workspace, pressed["line"], user, channel, body["trigger_id"])
        if result is not None:
            await whisper(workspace, channel, user, result.text)
            if not channel:
                await self.show_home(workspace, user)

    async def _run(
        self,
        workspace: Workspace,
        line: str,
        user: str,
        channel: str,
        trigger: str,
        url: str = "",
    ) -> CommandResult | None:
        """Carry a command out; None where its form was opened. `channel` is "" on the Home tab."""
        try:
            context = await self._context(workspace, user, channel, url)
            call = parse(line, context.texts)
            if not call.needs_form:
                return await self._core.run(call, context)
            filled = await self._core.fill_form(call, context)
        except (CommandError, StorageError) as error:
            return CommandResult(self._core.explained(error), done=False)
        view = form(call, filled, channel, context.texts)
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await workspace.client.views_open(trigger_id=trigger, view=view)
        except (SlackApiError, OSError, ClientError) as error:
            log.warning(
                "slack did not open a form", reason=describe(error), messages=messages_of(error)
            )
            late = is_late(error) or is_passing(error)
            told = context.texts("form_too_late" if late else "form_refused", command=line)
            again = command_buttons(context.texts("form_open"), line, channel) if late else []
            await whisper(workspace, channel, user, told, under=again)
        return None

    async def submit(self, workspace: Workspace, ack: Ack, body: Body) -> None:
        """A form was sent: what is wrong in it is shown in it."""
        call, channel = submitted(body["view"])
        user = body["user"]["id"]
        try:
            result = await self._core.run(call, await self._context(workspace, user, channel))
        except StorageError as error:
            result = CommandResult(self._core.storage_failed(error), done=False)
        if not result.done:
            field = next(iter(body["view"]["state"]["values"]))
            await ack(response_action="errors", errors={field: result.text})
            return
        await ack()
        if channel:
            await whisper(workspace, channel, user, result.text)
        else:
            await self.show_home(workspace, user)

    async def _context(
        self,
        workspace: Workspace,
        user: str,
        channel: str,
        url: str = "",
        thread: str | None = None,
    ) -> Context:
        """What a command works on. Raises StorageError, SlackApiError."""
        here = await self._core.read(place_of(workspace.team, channel, thread))
        now = f"{time.time():.6f}"
        requester = Requester(workspace, channel, thread, user, now, url)
        conversation = self._answers.conversation(requester, thread)
        return self._core.context(here, await workspace.author(user), conversation)

    async def catch_up(self, workspace: Workspace, body: Body) -> None:
        """Somebody wants to know what was said from a message on."""
        user, channel, url = body["user"]["id"], body["channel"]["id"], body["response_url"]
        first = body["message"]
        thread = first["thread_ts"] if first.get("thread_ts") not in (None, first["ts"]) else None
        try:
            context = await self._context(workspace, user, channel, url, thread)
        except StorageError as error:
            result = CommandResult(self._core.storage_failed(error), done=False)
        else:
            since = time_of(first["ts"]).isoformat()
            result = await self._core.run(
                CommandCall(COMMANDS["summary"], {"since": since}), context
            )
        await respond(workspace, url, channel, user, result.text)

    async def press(self, workspace: Workspace, body: Body) -> None:
        """A button under an answer was pressed."""
        await press(SlackPress(workspace, body, self._answers), self._core, self._background)

    async def show_home(self, workspace: Workspace, user: str) -> None:
        """Show the Home tab as it is now."""
        context = await self._context(workspace, user, "")
        settings = await self._core.run(CommandCall(COMMANDS["settings"]), context)
        personas = list(context.here.personas.values())
        publish = workspace.client.views_publish
        view = home(settings.text, personas, context.texts)
        try:
            await retried(publish, user_id=user, view=view)
        except SlackApiError as error:
            if is_passing(error):
                raise
            log.warning(
                "slack refused the Home tab, it is text",
                reason=describe(error),
                messages=messages_of(error),
            )
            await retried(publish, user_id=user, view=plain_home(settings.text))

    async def suggest(self, workspace: Workspace, channel: str) -> None:
        """The agent's pane was opened: propose what the persona proposes."""
        here = await self._core.read(place_of(workspace.team, channel, None))
        prompts = [{"title": text[:60], "message": text} for text in here.persona.suggestions]
        if prompts:
            await workspace.client.assistant_threads_setSuggestedPrompts(
                channel_id=channel, prompts=prompts
            )


class SlackPress:
    """See buttons.Press."""

    def __init__(self, workspace: Workspace, body: Body, answers: Answers) -> None:
        action = body["actions"][0]
        self._value = ButtonValue.parse(action["value"])
        self._workspace = workspace
        self._channel = str(body["container"]["channel_id"])
        self._answers = answers
        self.action = action_of(action["action_id"])
        self.effort = self._value.effort
        self.asker = self._value.asker
        self.call = self._value.call
        self._person = str(body["user"]["id"])
        self.place = place_of(workspace.team, self._channel, self._value.thread)
        self.message = str(body["container"]["message_ts"])

    async def author(self) -> Author:
        return await self._workspace.author(self._person)

    def moderates(self, author: Author) -> bool:
        return author.moderator

    async def exchange(self, here: InEffect) -> SlackExchange | None:
        return await self._answers.find(self._workspace, self._channel, self._value, self.message)

    async def is_sure(self, texts: Texts) -> bool:
        return True  # Slack has asked before it told of the press

    async def whisper(self, line: str) -> None:
        thread = self._value.thread
        await whisper(self._workspace, self._channel, self._person, line, thread)
