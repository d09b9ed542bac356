"""What people press, type as slash commands and fill in: acknowledged first, then carried out."""

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.conversation.commands import COMMANDS, CommandError, find_form, is_private
from bot.conversation.core import Core
from bot.conversation.events import Author, Place
from bot.conversation.personas import persona_in_force, personas_at
from bot.platforms.background import Background
from bot.platforms.conversation import ChannelConversation
from bot.platforms.slack.answers import Answers
from bot.platforms.slack.blocks import Action, Pressed, summary, told
from bot.platforms.slack.forms import form, submitted
from bot.platforms.slack.home import home
from bot.platforms.slack.messages import place_of
from bot.platforms.slack.sending import landed
from bot.platforms.slack.workspace import Workspace

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
        answer = await self._give(workspace, line, user, channel, body["trigger_id"])
        if answer is None:
            return
        texts = await self._core.texts(place_of(workspace.team, channel, None))
        respond = AsyncWebhookClient(body["response_url"])
        seen_by = "ephemeral" if is_private(line, texts) else "in_channel"
        await landed(
            lambda: respond.send(response_type=seen_by, text=summary(answer), blocks=told(answer))
        )

    async def home_command(self, workspace: Workspace, body: Body) -> None:
        """A button of the Home tab gives a command, for the whole workspace."""
        user = body["user"]["id"]
        line = json.loads(body["actions"][0]["value"])["line"]
        answer = await self._give(workspace, line, user, "", body["trigger_id"])
        if answer is not None:
            await self.whisper(workspace, "", user, answer)
            await self.show_home(workspace, user)

    async def _give(
        self, workspace: Workspace, line: str, user: str, channel: str, trigger: str
    ) -> str | None:
        """Carry a command out; None where its form was opened. `channel` is "" on the Home tab."""
        place, author, here = await self._given(workspace, user, channel)
        try:
            needed = find_form(line, await self._core.texts(place))
            if needed is None:
                return await self._core.command(line, place, author, here)
            command, values = needed
            filled = await self._core.fill_form(command, values, place, author, here)
        except CommandError as error:
            return str(error)
        view = form(command, values, filled, channel, await self._core.texts(place))
        await workspace.client.views_open(trigger_id=trigger, view=view)
        return None

    async def submit(self, workspace: Workspace, ack: Ack, body: Body) -> None:
        """A form was sent: what is wrong in it is shown in it."""
        command, values, channel = submitted(body["view"])
        user = body["user"]["id"]
        place, author, here = await self._given(workspace, user, channel)
        try:
            answer = await self._core.run_checked(command, values, place, author, here)
        except CommandError as error:
            field = next(iter(body["view"]["state"]["values"]))
            await ack(response_action="errors", errors={field: str(error)})
            return
        await ack()
        if channel:
            await self.whisper(workspace, channel, user, answer)
        else:
            await self.show_home(workspace, user)

    async def _given(
        self, workspace: Workspace, user: str, channel: str
    ) -> tuple[Place, Author, ChannelConversation]:
        place = place_of(workspace.team, channel, None)
        here = self._answers.conversation(workspace, channel, None, f"{time.time():.6f}", user)
        return place, await workspace.author(user), here

    async def press(self, workspace: Workspace, body: Body) -> None:
        """A button under an answer was pressed."""
        action = body["actions"][0]
        kind, pressed = (
            Action(action["action_id"].partition(":")[2]),
            Pressed.parse(action["value"]),
        )
        channel, message = body["container"]["channel_id"], body["container"]["message_ts"]
        user = body["user"]["id"]
        place = place_of(workspace.team, channel, pressed.thread)
        texts = await self._core.texts(place)
        if kind is Action.VOTE:
            await self._core.store.set_feedback(
                "slack", workspace.team, channel, message, user, pressed.vote
            )
            await self.whisper(workspace, channel, user, texts("thanks"), pressed.thread)
            return
        author = await workspace.author(user)
        if user != pressed.asker and not author.moderator:
            await self.whisper(workspace, channel, user, texts("not_yours"), pressed.thread)
            return
        exchange = await self._answers.found(workspace, channel, pressed, message)
        if exchange is None:
            await self.whisper(workspace, channel, user, texts("question_gone"), pressed.thread)
        elif kind is Action.DELETE:
            await exchange.delete()
        elif kind is Action.STOP:
            exchange.stop()
        else:
            effort = pressed.effort.harder if kind is Action.HARDER else None
            self._answers.start(exchange, effort)

    async def show_home(self, workspace: Workspace, user: str) -> None:
        """Show the Home tab as it is now."""
        place, author, here = await self._given(workspace, user, "")
        settings = await self._core.run(COMMANDS["settings"], {}, place, author, here)
        personas = await personas_at(self._core.config(), self._core.store, place)
        texts = await self._core.texts(place)
        view = home(settings, list(personas.values()), texts)
        await landed(lambda: workspace.client.views_publish(user_id=user, view=view))

    async def suggest(self, workspace: Workspace, channel: str) -> None:
        """The agent's pane was opened: propose what the persona proposes."""
        place = place_of(workspace.team, channel, None)
        settings = await self._core.settings(place)
        config = self._core.config()
        persona = await persona_in_force(config, self._core.store, place, settings)
        prompts = [{"title": text[:60], "message": text} for text in persona.suggestions]
        if prompts:
            await workspace.client.assistant_threads_setSuggestedPrompts(
                channel_id=channel, prompts=prompts
            )

    async def whisper(
        self, workspace: Workspace, channel: str, user: str, text: str, thread: str | None = None
    ) -> None:
        """Lines that only this person sees; where there is no channel, in private."""
        blocks, short = told(text), summary(text)
        if not channel:
            opened = await landed(lambda: workspace.client.conversations_open(users=user))
            await landed(
                lambda: workspace.client.chat_postMessage(
                    channel=opened["channel"]["id"], blocks=blocks, text=short
                )
            )
            return
        try:
            await landed(
                lambda: workspace.client.chat_postEphemeral(
                    channel=channel, user=user, thread_ts=thread, blocks=blocks, text=short
                )
            )
        except SlackApiError as error:
            if error.response.get("error") not in ("not_in_channel", "channel_not_found"):
                raise
            await self.whisper(workspace, "", user, text)
