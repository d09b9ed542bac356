"""Interactions: what a person asks of the bot by command, button or form, and what it answers.

https://docs.discord.com/developers/interactions/receiving-and-responding
"""

import secrets
import time
from collections.abc import Awaitable
from typing import Any

from tests.doubles.discord.commands import GUILD_INSTALL, USER_INSTALL, context_of
from tests.doubles.discord.errors import ApiError
from tests.doubles.discord.forms import Modal
from tests.doubles.discord.messages import UPLOAD_BYTES, Body
from tests.doubles.discord.payloads import (
    Payload,
    channel_payload,
    member_payload,
    message_payload,
    user_payload,
)
from tests.doubles.discord.state import (
    EPHEMERAL,
    LOADING,
    REPLY,
    Attachment,
    Channel,
    Message,
    User,
    snowflake,
)

COMMAND, COMPONENT, AUTOCOMPLETE, SUBMIT = 2, 3, 4, 5
MESSAGE, DEFER, DEFER_UPDATE, UPDATE, CHOICES, MODAL = 4, 5, 6, 7, 8, 9
CHAT_INPUT_COMMAND, CONTEXT_MENU_COMMAND = 20, 23
"""Types of messages."""
ANSWERS = {
    COMMAND: {MESSAGE, DEFER, MODAL},
    COMPONENT: {MESSAGE, DEFER, DEFER_UPDATE, UPDATE, MODAL},
    AUTOCOMPLETE: {CHOICES},
    SUBMIT: {MESSAGE, DEFER, DEFER_UPDATE, UPDATE},
}


class Interaction:
    """One interaction. Await `response`, or `acknowledged()` when nothing is to be shown."""

    def __init__(
        self,
        kind: int,
        user: User,
        channel: Channel,
        data: Payload,
        message: Message | None = None,
    ) -> None:
        self.world = channel.world
        self.id = snowflake()
        self.token = secrets.token_urlsafe(48)
        self.type = kind
        self.user = user
        self.channel = channel
        self.data = data
        self.message = message
        """The message whose button was pressed."""
        self.answer: int | None = None
        """The kind of the bot's first answer."""
        self.messages: list[Message] = []
        """What the bot said in answer, deleted messages too."""
        self.original: Message | None = None
        self.modal: Modal | None = None
        self.choices: list[Any] = []
        self.expired = False
        """Set it, and the token is as good as one older than 15 minutes."""
        self._created = time.monotonic()
        self.world.interactions[self.id] = self
        self.world.gateway.dispatch("INTERACTION_CREATE", self._payload(), channel.guild)

    # The person's side

    @property
    def response(self) -> Awaitable[Any]:
        """The message (once it is no "thinking…"), the Modal or the list of choices."""
        return self._response()

    async def _response(self) -> "Message | Modal | list[Any]":
        await self.acknowledged()
        if self.answer == CHOICES:
            return self.choices
        if self.modal is not None:
            return self.modal
        await self.world.until(lambda: self.original and not self.original.loading)
        assert self.original is not None
        return self.original

    async def acknowledged(self) -> None:
        """Wait for the bot's first answer; fails as Discord does when there is none in time."""
        try:
            within = self._created + self.world.acknowledge_within - time.monotonic()
            await self.world.until(lambda: self.answer is not None, max(within, 0.0))
        except AssertionError:
            raise AssertionError("The application did not respond") from None

    # The bot's side

    def respond(self, kind: int, body: Body, files: list[Attachment]) -> None:
        """The first answer."""
        if time.monotonic() > self._created + self.world.acknowledge_within:
            raise ApiError(10062)
        if self.answer is not None:
            raise ApiError(40060)
        if kind not in ANSWERS[self.type] or (kind in (DEFER_UPDATE, UPDATE) and not self.message):
            raise ApiError(50035, message="Invalid interaction response type")
        if kind == MESSAGE:
            self.original = self.say(body, files)
        elif kind == DEFER:
            flags = LOADING | (int(body.get("flags") or 0) & EPHEMERAL)
            self.original = self._new(flags)
            if not self.original.ephemeral:
                self.channel.history[self.original.id] = self.original
            self.world.message_changed(self.original, "MESSAGE_CREATE")
        elif kind in (DEFER_UPDATE, UPDATE):
            self.original = self.message
            if kind == UPDATE:
                assert self.message is not None
                self.world.revise(self.message, body, files)
        elif kind == MODAL:
            self.modal = Modal(body, self.channel, self.message)
        else:
            self.choices = [choice["value"] for choice in body["choices"]]
            if len(self.choices) > 25:
                raise ApiError(50035, message="Invalid Form Body")
        self.answer = kind
        self.world.changed()

    def follow_up(self, body: Body, files: list[Attachment]) -> Message:
        """A message through the token; the first one takes the place of "thinking…"."""
        if self.answer is None:
            raise ApiError(10015)
        if self.original and self.original.loading:
            return self.edit(self.original, body, files)
        return self.say(body, files)

    def edit(self, message: Message, body: Body, files: list[Attachment]) -> Message:
        loading = message.flags & LOADING
        message.flags &= ~LOADING
        try:
            return self.world.revise(message, body, files)
        except ApiError:
            message.flags |= loading
            raise

    def say(self, body: Body, files: list[Attachment]) -> Message:
        message = self._new(int(body.get("flags") or 0) & EPHEMERAL)
        return self.world.post(message, body, files)

    def _new(self, flags: int) -> Message:
        kind = CONTEXT_MENU_COMMAND if "target_id" in self.data else CHAT_INPUT_COMMAND
        message = Message(
            self.channel,
            self.world.bot,
            REPLY if self.message else kind,
            flags=flags,
            interaction=self,
            reference=self.message,
        )
        self.messages.append(message)
        return message

    # Payload

    @property
    def owners(self) -> dict[str, str]:
        """Who installed the bot: the guild where it is a member, else the user."""
        guild = self.channel.guild
        if guild is not None and guild.has_bot:
            return {str(GUILD_INSTALL): str(guild.id)}
        return {str(USER_INSTALL): str(self.user.id)}

    def _payload(self) -> Payload:
        channel, guild = self.channel, self.channel.guild
        payload: Payload = {
            "id": str(self.id),
            "application_id": str(self.world.application_id),
            "type": self.type,
            "data": self.data,
            "token": self.token,
            "version": 1,
            "channel_id": str(channel.id),
            "channel": channel_payload(channel),
            "app_permissions": str(channel.permissions_of(self.world.bot)),
            "locale": "en-US",
            "entitlements": [],
            "attachment_size_limit": UPLOAD_BYTES,
            "context": context_of(channel),
            "authorizing_integration_owners": self.owners,
        }
        if guild is None:
            payload["user"] = user_payload(self.user)
        else:
            permissions = str(channel.permissions_of(self.user))
            payload |= {
                "guild_id": str(guild.id),
                "guild": {"id": str(guild.id), "locale": "en-US", "features": []},
                "guild_locale": "en-US",
                "member": member_payload(self.user, guild) | {"permissions": permissions},
            }
        if self.message is not None:
            payload["message"] = message_payload(self.message)
        return payload
