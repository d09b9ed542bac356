"""The routes of REST v10 that a bot uses: channels, messages, threads, commands.

https://docs.discord.com/developers/reference
"""

from typing import TYPE_CHECKING

from multidict import MultiDictProxy

from tests.doubles.discord.calls import Answer, Call, Handler
from tests.doubles.discord.errors import ApiError, InvalidForm
from tests.doubles.discord.messages import Body
from tests.doubles.discord.payloads import (
    Payload,
    channel_payload,
    message_payload,
    thread_member_payload,
    without_content,
)
from tests.doubles.discord.state import (
    DM,
    REPLY,
    TEXT,
    THREAD,
    Channel,
    Message,
)

if TYPE_CHECKING:
    from tests.doubles.discord.people import Person
    from tests.doubles.discord.world import World


class Channels:
    """Handlers as in rest_application.py."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def routes(self) -> dict[str, Handler]:
        message = "/channels/{channel}/messages/{message}"
        return {
            "GET /channels/{channel}": self.channel,
            "PATCH /channels/{channel}": self.change_channel,
            "POST /channels/{channel}/typing": self.typing,
            "POST /channels/{channel}/messages": self.send,
            "GET /channels/{channel}/messages": self.history,
            f"GET {message}": self.message,
            f"PATCH {message}": self.edit,
            f"DELETE {message}": self.delete,
            f"PUT {message}/reactions/{{emoji}}/@me": self.react,
            f"DELETE {message}/reactions/{{emoji}}/@me": self.unreact,
            f"POST {message}/threads": self.thread_from_message,
            "POST /channels/{channel}/threads": self.thread,
            "PUT /channels/{channel}/thread-members/@me": self.join_thread,
            "GET /channels/{channel}/thread-members": self.thread_members,
            "GET /channels/{channel}/thread-members/{user}": self.thread_member,
            "GET /channels/{channel}/threads/archived/public": self.archived_threads,
            "GET /guilds/{guild}/messages/search": self.search,
        }

    # Channels

    def channel(self, call: Call) -> Answer:
        return channel_payload(self._channel(call))

    def change_channel(self, call: Call) -> Answer:
        channel = self._channel(call)
        if channel.type != THREAD:
            raise ApiError(50024)
        if channel.owner is not self._world.bot:
            self._needs(channel, "manage_threads")
        self._world.change_thread(channel, call.body)
        return channel_payload(channel)

    def typing(self, call: Call) -> Answer:
        channel = self._channel(call)
        self._needs(channel, _sending_in(channel))
        self._world.typing(channel, self._world.bot)
        return None

    # Messages

    def send(self, call: Call) -> Answer:
        channel, body = self._channel(call), call.body
        self._may_send(channel, body, bool(call.files))
        nonce = body.get("nonce")
        if nonce and body.get("enforce_nonce"):
            for sent in reversed(channel.from_bot):
                if sent.nonce == str(nonce):
                    return message_payload(sent)
        message = Message(channel, self._world.bot, nonce=nonce)
        if reference := body.get("message_reference"):
            self._needs(channel, "read_message_history", 160002)
            message.reference = channel.history.get(int(reference["message_id"]))
            if message.reference is not None:
                message.type = REPLY
            elif reference.get("fail_if_not_exists", True):
                kind = "MESSAGE_REFERENCE_UNKNOWN_MESSAGE"
                raise InvalidForm("message_reference", kind, "Unknown message")
        return message_payload(self._world.post(message, body, call.files))

    def history(self, call: Call) -> Answer:
        channel, query = self._channel(call), call.query
        if not channel.permits(self._world.bot, "read_message_history"):
            return []
        before = int(query.get("before", 1 << 63))
        after = int(query.get("after", 0))
        limit = int(query.get("limit", 50))
        if not 1 <= limit <= 100:
            raise InvalidForm("limit", "NUMBER_TYPE_COERCE", "1 to 100.")
        found = [m for id, m in sorted(channel.history.items()) if after < id < before]
        # The newest, or with `after` those that follow it; always newest first.
        page = found[:limit] if "after" in query else found[-limit:]
        return [self._shown(message) for message in reversed(page)]

    def search(self, call: Call) -> Answer:
        """Messages that have all words, in the channels that are named."""
        guild = self._world.guilds[int(call.parameters["guild"])]
        assert isinstance(call.query, MultiDictProxy)
        wanted = {int(id) for id in call.query.getall("channel_id", [])}
        words = call.query["content"].lower().split()
        found = [
            message
            for channel in guild.channels
            if channel.id in wanted
            and channel.permits(self._world.bot, "view_channel")
            and channel.permits(self._world.bot, "read_message_history")
            for message in channel.history.values()
            if all(word in message.content.lower() for word in words)
        ]
        return {
            "total_results": len(found),
            "messages": [[message_payload(message) | {"hit": True}] for message in found],
        }

    def message(self, call: Call) -> Answer:
        channel = self._channel(call)
        self._needs(channel, "read_message_history", 50001)
        return self._shown(self._message(call, channel))

    def edit(self, call: Call) -> Answer:
        channel, body = self._channel(call), call.body
        message = self._message(call, channel)
        if message.author is not self._world.bot:
            raise ApiError(50005)
        if channel.archived or channel.locked:
            raise ApiError(50083)
        self._may_say(channel, body, bool(call.files))
        return message_payload(self._world.revise(message, body, call.files))

    def delete(self, call: Call) -> Answer:
        channel = self._channel(call)
        message = self._message(call, channel)
        if message.author is not self._world.bot:
            if channel.type == DM:
                raise ApiError(50003)
            self._needs(channel, "manage_messages")
        self._world.erase(message)
        return None

    def react(self, call: Call) -> Answer:
        channel = self._channel(call)
        self._needs(channel, "add_reactions")
        message = self._message(call, channel)
        self._world.react(message, self._world.bot, call.parameters["emoji"])
        return None

    def unreact(self, call: Call) -> Answer:
        message = self._message(call, self._channel(call))
        emoji = call.parameters["emoji"]
        self._world.react(message, self._world.bot, emoji, remove=True)
        return None

    # Threads

    def thread(self, call: Call) -> Answer:
        return self._start_thread(call, None)

    def thread_from_message(self, call: Call) -> Answer:
        return self._start_thread(call, self._message(call, self._channel(call)))

    def _start_thread(self, call: Call, message: Message | None) -> Answer:
        channel, body = self._channel(call), call.body
        if channel.type != TEXT:
            raise ApiError(50024)
        self._needs(channel, "create_public_threads")
        thread = self._world.start_thread(channel, self._world.bot, body, message)
        return channel_payload(thread)

    def join_thread(self, call: Call) -> Answer:
        self._world.join_thread(self._channel(call), self._world.bot)
        return None

    def thread_members(self, call: Call) -> Answer:
        thread, users = self._channel(call), self._world.users
        return [thread_member_payload(thread, users[id]) for id in sorted(thread.joined)]

    def thread_member(self, call: Call) -> Answer:
        thread, user = self._channel(call), int(call.parameters["user"])
        if user not in thread.joined:
            raise ApiError(10007)
        return thread_member_payload(thread, self._world.users[user])

    def archived_threads(self, call: Call) -> Answer:
        channel = self._channel(call)
        self._needs(channel, "read_message_history", 50001)
        found = [thread for thread in channel.threads if thread.archived and not thread.private]
        return {
            "threads": [channel_payload(thread) for thread in found],
            "members": [],
            "has_more": False,
        }

    # What a request names

    def _channel(self, call: Call) -> Channel:
        channel = self._world.channels.get(int(call.parameters["channel"]))
        if channel is None:
            raise ApiError(10003)
        if not self._world.bot_is_in(channel):
            raise ApiError(50001)
        return channel

    def _message(self, call: Call, channel: Channel) -> Message:
        message = channel.history.get(int(call.parameters["message"]))
        if message is None:
            raise ApiError(10008)
        return message

    def _shown(self, message: Message) -> Payload:
        payload = message_payload(message)
        if self._world.message_content:
            return payload
        return without_content(payload, self._world.bot)

    # Permissions

    def _needs(self, channel: Channel, permission: str, code: int = 50013) -> None:
        if not channel.permits(self._world.bot, permission):
            raise ApiError(code)

    def _may_send(self, channel: Channel, body: Body, files: bool) -> None:
        self._needs(channel, _sending_in(channel))
        self._may_say(channel, body, files)
        if channel.type == DM:
            person: Person
            for person in channel.recipients:  # type: ignore[assignment]
                if not person.bot and not person.accepts_dms:
                    raise ApiError(50007)

    def _may_say(self, channel: Channel, body: Body, files: bool) -> None:
        if body.get("embeds"):
            self._needs(channel, "embed_links")
        if files:
            self._needs(channel, "attach_files")


def _sending_in(channel: Channel) -> str:
    return "send_messages_in_threads" if channel.type == THREAD else "send_messages"
