"""The methods conversations.*, reactions.* and files.info.

https://docs.slack.dev/reference/methods?family=conversations
"""

import base64
from typing import TYPE_CHECKING

from tests.doubles.slack.calls import Call, Handler
from tests.doubles.slack.errors import SlackError
from tests.doubles.slack.limits import PAGE
from tests.doubles.slack.payloads import channel_payload, file_payload, message_payload
from tests.doubles.slack.state import DIRECT, GROUP, PRIVATE, PUBLIC, Message, Payload, User

if TYPE_CHECKING:
    from tests.doubles.slack.world import World

KINDS = {"public_channel": PUBLIC, "private_channel": PRIVATE, "im": DIRECT, "mpim": GROUP}


class Conversations:
    def __init__(self, world: "World") -> None:
        self._world = world
        self.page = PAGE
        """Messages in one answer at most."""
        self.empty = False
        """Whether the pages of threads have no messages."""

    def methods(self) -> dict[str, Handler]:
        return {
            "conversations.info": self.info,
            "conversations.open": self.open,
            "conversations.history": self.history,
            "conversations.replies": self.replies,
            "reactions.add": self.add_reaction,
            "reactions.remove": self.remove_reaction,
            "files.info": self.file,
            "users.conversations": self.of_user,
        }

    def info(self, call: Call) -> Payload:
        return {"channel": channel_payload(call.channel())}

    def open(self, call: Call) -> Payload:
        user = call.by.user(call.get("users"))
        return {"channel": {"id": user.workspace.direct(user).id}}

    def replies(self, call: Call) -> Payload:
        """A thread, oldest first; its first message heads every page."""
        channel = call.joined_channel()
        found = channel.history.get(call.get("ts"))
        if found is None:
            raise SlackError("thread_not_found")
        if self.empty:
            return self._answer([], "")
        if found.thread:
            return self._answer([found], "")
        page, cursor = self._page(call, found.replies)
        return self._answer([found, *page], cursor)

    def history(self, call: Call) -> Payload:
        """A channel without its threads, newest first."""
        messages = [m for m in call.joined_channel().messages if not m.thread]
        page, cursor = self._page(call, messages[::-1], newest_first=True)
        return self._answer(page, cursor)

    def of_user(self, call: Call) -> Payload:
        """The channels that a user is in; private ones only where the bot is too."""
        user, kinds = call.by.user(call.get("user")), call.get("types", "public_channel").split(",")
        wanted = {KINDS[kind] for kind in kinds}
        found = [
            channel
            for channel in user.workspace.channels.values()
            if channel.kind in wanted and channel.has(user)
            if channel.kind == PUBLIC or channel.has_bot
        ]
        return {"channels": [channel_payload(channel) for channel in found]}

    def _page(
        self, call: Call, messages: list[Message], *, newest_first: bool = False
    ) -> tuple[list[Message], str]:
        """The messages of the page that is asked for, and the cursor of the next one."""
        oldest, latest = call.get("oldest", "0"), call.get("latest") or "9" * 10
        inclusive = call.flag("inclusive")
        kept = [m for m in messages if oldest < m.ts < latest]
        if inclusive:
            kept = [m for m in messages if oldest <= m.ts <= latest]
        if cursor := call.get("cursor"):
            try:
                start = base64.b64decode(cursor, validate=True).decode().removeprefix("next_ts:")
            except ValueError:
                raise SlackError("invalid_cursor") from None
            kept = [m for m in kept if (m.ts <= start if newest_first else m.ts >= start)]
        limit = int(call.get("limit") or self.page)
        if not 1 <= limit <= PAGE:
            raise SlackError("invalid_limit")
        limit = min(limit, self.page)
        following = kept[limit].ts if len(kept) > limit else ""
        token = base64.b64encode(f"next_ts:{following}".encode()).decode() if following else ""
        return kept[:limit], token

    def _answer(self, messages: list[Message], cursor: str) -> Payload:
        answer: Payload = {"messages": [message_payload(m) for m in messages]}
        answer["has_more"] = bool(cursor)
        if cursor:
            answer["response_metadata"] = {"next_cursor": cursor}
        return answer

    def add_reaction(self, call: Call) -> Payload:
        message, bot = self._reacted(call)
        if bot in message.reactions.get(call.get("name"), []):
            raise SlackError("already_reacted")
        self._world.react(message, bot, call.get("name"))
        return {}

    def remove_reaction(self, call: Call) -> Payload:
        message, bot = self._reacted(call)
        if bot not in message.reactions.get(call.get("name"), []):
            raise SlackError("no_reaction")
        self._world.react(message, bot, call.get("name"), remove=True)
        return {}

    def _reacted(self, call: Call) -> tuple[Message, User]:
        channel = call.writable_channel()
        message = channel.history.get(call.get("timestamp"))
        if message is None:
            raise SlackError("message_not_found")
        return message, channel.workspace.bot

    def file(self, call: Call) -> Payload:
        file = self._world.files.get(call.get("file"))
        if file is None or file.workspace not in call.by.workspaces:
            raise SlackError("file_not_found")
        return {"file": file_payload(file)}
