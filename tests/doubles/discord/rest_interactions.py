"""The routes that answer interactions: the callback, and messages through the token.

https://docs.discord.com/developers/interactions/receiving-and-responding#endpoints
"""

from typing import TYPE_CHECKING

from tests.doubles.discord.calls import Answer, Call, Handler
from tests.doubles.discord.errors import ApiError
from tests.doubles.discord.interactions import Interaction
from tests.doubles.discord.payloads import Payload, message_payload
from tests.doubles.discord.state import Message

if TYPE_CHECKING:
    from tests.doubles.discord.world import World


class Interactions:
    """Handlers as in rest_application.py. They need no bot token."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def routes(self) -> dict[str, Handler]:
        messages = "/webhooks/{app}/{token}/messages/{message}"
        return {
            "POST /interactions/{interaction}/{token}/callback": self.respond,
            "POST /webhooks/{app}/{token}": self.follow_up,
            f"GET {messages}": self.response,
            f"PATCH {messages}": self.edit_response,
            f"DELETE {messages}": self.delete_response,
        }

    def respond(self, call: Call) -> Answer:
        interaction = self._world.interactions.get(int(call.parameters["interaction"]))
        if interaction is None or interaction.token != call.parameters["token"]:
            raise ApiError(10062)
        kind, body = call.body["type"], call.body.get("data") or {}
        interaction.respond(kind, body, call.files)
        if "with_response" not in call.query:
            return None
        answer: Payload = {"interaction": {"id": str(interaction.id), "type": interaction.type}}
        if (message := interaction.original) is not None:
            answer["interaction"] |= {
                "response_message_id": str(message.id),
                "response_message_loading": message.loading,
                "response_message_ephemeral": message.ephemeral,
            }
            answer["resource"] = {"type": kind, "message": message_payload(message)}
        return answer

    def follow_up(self, call: Call) -> Answer:
        interaction = self._interaction(call)
        return message_payload(interaction.follow_up(call.body, call.files))

    def response(self, call: Call) -> Answer:
        return message_payload(self._response(call))

    def edit_response(self, call: Call) -> Answer:
        message, body = self._response(call), call.body
        return message_payload(self._interaction(call).edit(message, body, call.files))

    def delete_response(self, call: Call) -> Answer:
        self._world.erase(self._response(call))
        return None

    def _interaction(self, call: Call) -> Interaction:
        token = call.parameters["token"]
        for interaction in self._world.interactions.values():
            if interaction.token == token:
                if interaction.expired:
                    raise ApiError(50027)
                return interaction
        raise ApiError(10015)

    def _response(self, call: Call) -> Message:
        interaction, id = self._interaction(call), call.parameters["message"]
        if id == "@original":
            found = [interaction.original] if interaction.original else []
        else:
            own = [*interaction.messages, *filter(None, [interaction.message])]
            found = [m for m in own if str(m.id) == id]
        if not found or found[0].deleted:
            raise ApiError(10008)
        return found[0]
