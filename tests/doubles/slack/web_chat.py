"""The methods chat.* but for streams: https://docs.slack.dev/reference/methods?family=chat"""

from typing import TYPE_CHECKING

from tests.doubles.slack.calls import Call, Handler
from tests.doubles.slack.errors import SlackError
from tests.doubles.slack.limits import TEXT
from tests.doubles.slack.payloads import message_payload
from tests.doubles.slack.state import Message, Payload

if TYPE_CHECKING:
    from tests.doubles.slack.world import World


class Chat:
    def __init__(self, world: "World") -> None:
        self._world = world

    def methods(self) -> dict[str, Handler]:
        return {
            "chat.postMessage": self.post,
            "chat.postEphemeral": self.post_ephemeral,
            "chat.update": self.update,
            "chat.delete": self.delete,
        }

    def post(self, call: Call) -> Payload:
        channel = call.writable_channel()
        call.check_content()
        message = Message(channel, channel.workspace.bot, thread=call.root(channel))
        self._world.post(message, call.arguments)
        answer = _told(message) | {"message": message_payload(message)}
        if len(call.get("text")) > TEXT:
            answer["warning"] = "message_truncated"
            answer["response_metadata"] = {"warnings": ["message_truncated"]}
        return answer

    def post_ephemeral(self, call: Call) -> Payload:
        channel = call.writable_channel()
        user = call.by.user(call.get("user"))
        call.check_content()
        message = Message(channel, channel.workspace.bot, visible_to=user)
        message.thread = call.root(channel)
        self._world.post(message, call.arguments)
        return {"message_ts": message.ts}

    def update(self, call: Call) -> Payload:
        channel = call.channel()
        message = call.own_message(channel, "cant_update_message")
        if message.streaming:
            raise SlackError("streaming_state_conflict")
        call.check_content()
        self._world.revise(message, call.arguments)
        return _told(message) | {"text": message.raw, "message": message_payload(message)}

    def delete(self, call: Call) -> Payload:
        channel = call.channel()
        message = call.own_message(channel, "cant_delete_message")
        self._world.erase(message)
        return _told(message)


def _told(message: Message) -> Payload:
    return {"channel": message.channel.id, "ts": message.ts}
