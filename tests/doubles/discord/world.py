"""All of Discord's state, and what can happen to it: each change tells the gateway."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

from tests.doubles.discord.commands import Commands
from tests.doubles.discord.errors import ApiError, InvalidForm, at_most
from tests.doubles.discord.gateway import Gateway
from tests.doubles.discord.interactions import Interaction
from tests.doubles.discord.messages import Body, write
from tests.doubles.discord.payloads import (
    channel_payload,
    emoji_payload,
    guild_payload,
    member_payload,
    message_payload,
    role_payload,
    thread_member_payload,
)
from tests.doubles.discord.people import Person
from tests.doubles.discord.state import (
    DM,
    FORUM,
    HAS_THREAD,
    PRIVATE_THREAD,
    TEXT,
    THREAD,
    THREAD_CREATED,
    THREAD_STARTER,
    Attachment,
    Channel,
    Guild,
    Message,
    Role,
    User,
    plain,
)
from tests.waiting import HANG_SECONDS

T = TypeVar("T")


class World:
    """The state that REST, gateway and people share."""

    def __init__(self) -> None:
        self.bot = User("bot", bot=True)
        self.application_id = self.bot.id
        self.owner = Person("owner", world=self)
        """Of the application and of every server."""
        self.token = "double.token.0"
        self.url = ""
        self.message_content = False
        """Whether the developer portal grants the message-content intent."""
        self.users: dict[int, User] = {self.bot.id: self.bot, self.owner.id: self.owner}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.interactions: dict[int, Interaction] = {}
        self.uploads: dict[int, Attachment] = {}
        """Files that came with commands."""
        self.commands = Commands()
        self.acknowledge_within = 3.0
        """Seconds that the bot has for its first answer to an interaction."""
        self.shards = 1
        """How many shards /gateway/bot recommends."""
        self.gateway = Gateway(self)
        self._change = asyncio.Event()

    # Waiting

    def changed(self) -> None:
        """Wake who waits in `until`."""
        self._change.set()
        self._change = asyncio.Event()

    async def until(self, condition: Callable[[], T | None], within: float = HANG_SECONDS) -> T:
        """Wait for `condition` to become true; looks again after each change. Its value."""
        try:
            async with asyncio.timeout(within):
                while not (value := condition()):
                    await self._change.wait()
                return value
        except TimeoutError:
            raise AssertionError(f"did not become true within {within} s") from None

    # People and places

    def user(self, name: str) -> Person:
        """A new person who is in no guild."""
        person = Person(name, world=self)
        self.users[person.id] = person
        return person

    def guild(self, name: str, *, has_bot: bool = True) -> Guild:
        guild = Guild(self, name, has_bot)
        self.guilds[guild.id] = guild
        if has_bot:
            guild.members[self.bot.id] = []
        self.guild_changed(guild, "GUILD_CREATE")
        return guild

    def dm(self, *recipients: User) -> Channel:
        """The private conversation of two users."""
        for channel in self.channels.values():
            if channel.type == DM and set(channel.recipients) == set(recipients):
                return channel
        channel = Channel(self, DM, recipients=list(recipients))
        self.channels[channel.id] = channel
        return channel

    def add_channel(self, channel: Channel) -> None:
        assert channel.guild is not None
        self.channels[channel.id] = channel
        channel.guild.channels.append(channel)

    def bot_is_in(self, channel: Channel) -> bool:
        return channel.permits(self.bot, "view_channel")

    # Telling the gateway

    def guild_changed(
        self, guild: Guild, event: str, *, role: Role | None = None, member: User | None = None
    ) -> None:
        if role:
            payload = {"guild_id": str(guild.id), "role": role_payload(role)}
        elif member:
            payload = member_payload(member, guild) | {"guild_id": str(guild.id)}
        else:
            payload = guild_payload(guild) if guild.has_bot else {}
        if guild.has_bot:
            self.gateway.dispatch(event, payload, guild)

    def channel_changed(self, channel: Channel, event: str, **more: Any) -> None:
        if channel.guild and channel.guild.has_bot:
            self.gateway.dispatch(event, channel_payload(channel) | more, channel.guild)

    def message_changed(self, message: Message, event: str, **more: Any) -> None:
        if message.ephemeral or not self.bot_is_in(message.channel):
            self.changed()
            return
        payload = message_payload(message) if not message.deleted else _ids(message)
        self.gateway.dispatch(event, payload | more, message.channel.guild)

    # Messages

    def post(self, message: Message, body: Body, files: list[Attachment]) -> Message:
        """Put a new message into its channel, as `body` says."""
        channel = message.channel
        if channel.locked:
            raise ApiError(160005)
        write(message, body, files)
        if channel.archived:
            self.change_thread(channel, {"archived": False})
        if not message.ephemeral:
            channel.history[message.id] = message
        self.message_changed(message, "MESSAGE_CREATE")
        return message

    def revise(self, message: Message, body: Body, files: list[Attachment]) -> Message:
        write(message, body, files)
        message.edited = time.time()
        self.message_changed(message, "MESSAGE_UPDATE")
        return message

    def erase(self, message: Message) -> None:
        message.deleted = True
        message.channel.history.pop(message.id, None)
        self.message_changed(message, "MESSAGE_DELETE")

    def purge(self, *messages: Message) -> None:
        """A moderator deletes several messages of a channel at once."""
        channel = messages[0].channel
        for message in messages:
            message.deleted = True
            channel.history.pop(message.id, None)
        ids = {"ids": [str(message.id) for message in messages], "channel_id": str(channel.id)}
        if channel.guild:
            ids["guild_id"] = str(channel.guild.id)
        self.gateway.dispatch("MESSAGE_DELETE_BULK", ids, channel.guild)

    def unfurl(self, message: Message) -> None:
        """Discord adds a link's preview: an update without a change of the text."""
        message.embeds = [{"type": "link", "url": "https://example.org"}]
        self.message_changed(message, "MESSAGE_UPDATE")

    def react(self, message: Message, user: User, emoji: str, *, remove: bool = False) -> None:
        users = message.reactions.setdefault(plain(emoji), [])
        if remove == (user not in users):
            return
        (users.remove if remove else users.append)(user)
        payload = _ids(message) | {
            "message_id": str(message.id),
            "user_id": str(user.id),
            "emoji": emoji_payload(emoji),
            "burst": False,
            "type": 0,
        }
        if message.channel.guild and not remove:
            payload["member"] = member_payload(user, message.channel.guild)
        event = "MESSAGE_REACTION_REMOVE" if remove else "MESSAGE_REACTION_ADD"
        if self.bot_is_in(message.channel):
            self.gateway.dispatch(event, payload, message.channel.guild)

    # Threads

    def start_thread(
        self, channel: Channel, owner: User, body: Body, message: Message | None = None
    ) -> Channel:
        """A public thread, from `message` when given."""
        if channel.type not in (TEXT, FORUM):
            raise ApiError(50024)
        if message and message.thread:
            raise ApiError(160004)
        check_thread(body)
        thread = Channel(self, THREAD, body["name"], channel.guild, channel, owner=owner)
        thread.id = message.id if message else thread.id
        thread.auto_archive_duration = body.get("auto_archive_duration") or 1440
        thread.joined.add(owner.id)
        thread.private = body.get("type") == PRIVATE_THREAD
        self.add_channel(thread)
        self.channel_changed(thread, "THREAD_CREATE", newly_created=True)
        if message:
            message.thread, message.flags = thread, message.flags | HAS_THREAD
            self.message_changed(message, "MESSAGE_UPDATE")
            self._system(Message(thread, message.author, THREAD_STARTER, reference=message))
        elif channel.type == TEXT:
            self._system(Message(channel, owner, THREAD_CREATED, content=thread.name))
        return thread

    def _system(self, message: Message) -> None:
        message.channel.history[message.id] = message
        self.message_changed(message, "MESSAGE_CREATE")

    def change_thread(self, thread: Channel, body: Body) -> None:
        check_thread({"name": thread.name} | body)
        thread.name = body.get("name", thread.name)
        thread.archived = body.get("archived", thread.archived)
        thread.locked = body.get("locked", thread.locked)
        self.channel_changed(thread, "THREAD_UPDATE")

    def join_thread(self, thread: Channel, user: User) -> None:
        thread.joined.add(user.id)
        payload = {
            "id": str(thread.id),
            "guild_id": str(thread.guild.id) if thread.guild else None,
            "member_count": len(thread.joined),
            "added_members": [thread_member_payload(thread, user)],
        }
        self.gateway.dispatch("THREAD_MEMBERS_UPDATE", payload, thread.guild)
        self.changed()

    def remove_from_thread(self, thread: Channel, user: User) -> None:
        """A moderator removes somebody from a thread."""
        thread.joined.discard(user.id)
        payload = {
            "id": str(thread.id),
            "guild_id": str(thread.guild.id) if thread.guild else None,
            "member_count": len(thread.joined),
            "removed_member_ids": [str(user.id)],
        }
        self.gateway.dispatch("THREAD_MEMBERS_UPDATE", payload, thread.guild)
        self.changed()

    def delete_channel(self, channel: Channel) -> None:
        """A moderator deletes a channel or thread."""
        assert channel.guild is not None
        kind = "THREAD" if channel.type == THREAD else "CHANNEL"
        self.channel_changed(channel, f"{kind}_DELETE")
        channel.guild.channels.remove(channel)
        del self.channels[channel.id]

    def typing(self, channel: Channel, user: User) -> None:
        if user is self.bot:
            channel.typing.append(time.monotonic())
        payload = {
            "channel_id": str(channel.id),
            "user_id": str(user.id),
            "timestamp": int(time.time()),
        }
        if channel.guild:
            payload |= {
                "guild_id": str(channel.guild.id),
                "member": member_payload(user, channel.guild),
            }
        if self.bot_is_in(channel):
            self.gateway.dispatch("TYPING_START", payload, channel.guild)


def _ids(message: Message) -> Body:
    ids = {"id": str(message.id), "channel_id": str(message.channel.id)}
    guild = message.channel.guild
    return ids | ({"guild_id": str(guild.id)} if guild else {})


def check_thread(body: Body) -> None:
    at_most("name", body.get("name") or "", 100, least=1)
    if (body.get("auto_archive_duration") or 1440) not in (60, 1440, 4320, 10080):
        raise InvalidForm("auto_archive_duration", "BASE_TYPE_CHOICES", "60, 1440, 4320 or 10080.")
