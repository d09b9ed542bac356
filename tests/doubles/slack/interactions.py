"""What a person asks of the app by command, button or form, and what it answers.

https://docs.slack.dev/interactivity/handling-user-interaction
"""

import secrets
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from tests.doubles.slack.blocks import check_blocks
from tests.doubles.slack.errors import SlackError
from tests.doubles.slack.limits import RESPONSES
from tests.doubles.slack.state import Channel, Message, Payload
from tests.doubles.slack.views import View, check_view
from tests.doubles.slack.ways import NotTaken

if TYPE_CHECKING:
    from tests.doubles.slack.people import Person


class Interaction:
    """One interaction. Await `response`, or `acknowledged()` when nothing is to be shown."""

    def __init__(
        self,
        kind: str,
        person: "Person",
        payload: Payload,
        *,
        channel: Channel | None = None,
        message: Message | None = None,
        view: View | None = None,
    ) -> None:
        self.world = person.world
        self.person = person
        self.channel = channel
        self.message = message
        """The message whose button was pressed."""
        self.view = view
        """The view that was used or sent."""
        self.answer: Payload | None = None
        """What came with the acknowledgement."""
        self.failure = ""
        """Why there was no acknowledgement: the person is told that the app did not respond."""
        self.messages: list[Message] = []
        """What the app said through response_url."""
        self.modal: View | None = None
        """The form that was opened with the trigger_id."""
        self.expired = False
        """Set it, and response_url is as good as one older than 30 minutes."""
        self.uses = 0
        """How often response_url was used."""
        self.exchanged = False
        """Whether the trigger_id was used."""
        self.created = time.monotonic()
        self.trigger_id = f"{secrets.randbelow(10**10)}.1.{secrets.token_hex(8)}"
        self.token = secrets.token_urlsafe(16)
        payload["trigger_id"] = self.trigger_id
        if channel:
            payload["response_url"] = f"{self.world.url}/response/{self.token}"
        self.world.interactions[self.token] = self
        self.world.delivery.start(self._deliver(kind, payload))

    async def _deliver(self, kind: str, payload: Payload) -> None:
        try:
            answer = await self.world.delivery.interaction(kind, payload)
        except NotTaken as failure:
            self.failure = failure.reason
        else:
            if self.channel and (answer.get("text") or answer.get("blocks")):
                self._say(answer)
            if self.view and answer.get("response_action"):
                self._act(self.view, answer)
            elif self.view and payload["type"] == "view_submission":
                self.view.close()
            self.answer = answer
        self.world.changed()

    # The person's side

    async def acknowledged(self) -> None:
        """Wait for the acknowledgement; fails as Slack does when there is none in time."""
        await self.world.until(lambda: self.answer is not None or self.failure)
        assert not self.failure, f"the app did not respond ({self.failure})"

    @property
    def response(self) -> Awaitable[Message | View]:
        """The first message in answer, or the form that was opened."""
        return self._response()

    async def _response(self) -> Message | View:
        await self.acknowledged()
        await self.world.until(lambda: self.modal or self.messages)
        return self.modal or self.messages[0]

    @property
    def errors(self) -> dict[str, str]:
        """What the form was refused for, by block_id."""
        return dict((self.answer or {}).get("errors") or {})

    # The app's side

    def respond(self, body: Payload) -> None:
        """A call of response_url."""
        if self.expired:
            raise SlackError("expired_url")
        if self.uses >= RESPONSES:
            raise SlackError("used_url")
        self.uses += 1
        if body.get("delete_original") and self.message:
            self.world.erase(self.message)
        elif body.get("replace_original") and self.message:
            self.world.revise(self.message, body)
        else:
            self._say(body)

    def _say(self, body: Payload) -> None:
        assert self.channel is not None
        check_blocks(body.get("blocks") or [])
        root = self.message.thread if self.message else None
        message = Message(self.channel, self.person.workspace.bot, thread=root)
        if body.get("response_type") != "in_channel":
            message.visible_to = self.person
        self.messages.append(message)
        self.world.post(message, body)

    def _act(self, view: View, answer: Payload) -> None:
        """What the acknowledgement of a form does to it."""
        action = answer["response_action"]
        if action in ("update", "push"):
            check_view(answer["view"], "modal")
            if action == "update":
                view.become(answer["view"])
            else:
                self.modal = View(self.person, answer["view"], below=view)
                self.world.views[self.modal.id] = self.modal
        elif action == "clear":
            view.close()
        else:
            assert action == "errors", f"no such response_action: {action}"
            unknown = answer["errors"].keys() - {
                block["block_id"] for block in view.inputs.values()
            }
            assert not unknown, f"the form has no blocks {unknown}"
