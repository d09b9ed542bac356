"""Streams: chat.startStream, chat.appendStream and chat.stopStream.

https://docs.slack.dev/reference/methods/chat.startStream
"""

import time
from typing import TYPE_CHECKING, Any

from tests.doubles.slack.blocks import check_blocks
from tests.doubles.slack.calls import Call, Handler
from tests.doubles.slack.errors import SlackError, invalid
from tests.doubles.slack.limits import MARKDOWN
from tests.doubles.slack.payloads import message_payload
from tests.doubles.slack.state import DIRECT, Channel, Message, Payload

if TYPE_CHECKING:
    from tests.doubles.slack.world import World

TASK_STATUSES = ("pending", "in_progress", "complete", "error")


class Streams:
    def __init__(self, world: "World") -> None:
        self._world = world

    def methods(self) -> dict[str, Handler]:
        return {
            "chat.startStream": self.start,
            "chat.appendStream": self.append,
            "chat.stopStream": self.stop,
        }

    def start(self, call: Call) -> Payload:
        channel = call.writable_channel()
        self._check_recipient(call, channel)
        root = call.root(channel, "invalid_thread_ts")
        if root is None and channel.kind == DIRECT:
            raise SlackError("invalid_thread_ts")
        chunks = _chunks(call)
        message = Message(channel, channel.workspace.bot, thread=root)
        message.started = time.monotonic()
        self._world.post(message, {})
        self._apply(message, chunks)
        return {"channel": channel.id, "ts": message.ts}

    def append(self, call: Call) -> Payload:
        message = self._stream(call)
        chunks = _chunks(call)
        if not chunks:
            raise SlackError("no_text")
        self._apply(message, chunks)
        return {"channel": message.channel.id, "ts": message.ts}

    def stop(self, call: Call) -> Payload:
        message = self._stream(call)
        chunks = _chunks(call)
        blocks = call.arguments.get("blocks") or []
        check_blocks(blocks)
        before = message_payload(message)
        self._apply(message, [*chunks, {"type": "blocks", "blocks": blocks}])
        message.metadata = call.arguments.get("metadata", message.metadata)
        message.ended = True
        if status := call.get("session_status"):
            message.channel.sessions[message.root.ts] = status
        self._world.revised(message, before)
        told = {"channel": message.channel.id, "ts": message.ts}
        return told | {"message": message_payload(message)}

    def _check_recipient(self, call: Call, channel: Channel) -> None:
        if channel.kind == DIRECT:
            return
        for name in ("recipient_team_id", "recipient_user_id"):
            if not call.get(name):
                raise SlackError(f"missing_{name}")
        if call.get("recipient_team_id") not in [w.id for w in call.by.workspaces]:
            raise SlackError("team_not_found")
        call.by.user(call.get("recipient_user_id"))

    def _stream(self, call: Call) -> Message:
        """The stream that `ts` names, if it still is one."""
        channel = call.channel()
        message = call.own_message(channel, "message_not_owned_by_app")
        if not message.streaming:
            raise SlackError("message_not_in_streaming_state")
        return message

    def _apply(self, message: Message, chunks: list[Payload]) -> None:
        for chunk in chunks:
            if chunk["type"] == "markdown_text":
                message.markdown += chunk["text"]
            elif chunk["type"] == "task_update":
                message.tasks[chunk["id"]] = message.tasks.get(chunk["id"], {}) | chunk
            elif chunk["type"] == "blocks":
                message.blocks = [*message.blocks, *chunk["blocks"]]
        message.written()
        self._world.changed()


def _chunks(call: Call) -> list[Payload]:
    """The chunks of a call, checked; markdown_text is one too."""
    chunks: list[Any] = list(call.arguments.get("chunks") or [])
    markdown = call.arguments.get("markdown_text")
    if markdown and chunks:
        raise SlackError("markdown_text_conflict")
    if markdown:
        chunks = [{"type": "markdown_text", "text": markdown}]
    for at, chunk in enumerate(chunks):
        kind = chunk.get("type")
        right = {
            "markdown_text": lambda c: isinstance(c.get("text"), str),
            "task_update": lambda c: (
                bool(c.get("id") and c.get("title")) and c.get("status") in TASK_STATUSES
            ),
            "plan_update": lambda c: bool(c.get("title")),
            "blocks": lambda c: bool(c.get("blocks")),
        }.get(kind)
        if right is None or not right(chunk):
            raise invalid("invalid_chunks", f"not a chunk: {kind}", f"/chunks/{at}")
        if kind == "blocks":
            check_blocks(chunk["blocks"])
    text = [chunk["text"] for chunk in chunks if chunk["type"] == "markdown_text"]
    if len("".join(text)) > MARKDOWN:
        raise SlackError("msg_too_long")
    return chunks
