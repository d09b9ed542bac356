"""The methods views.*: https://docs.slack.dev/reference/methods?family=views"""

import time
from typing import TYPE_CHECKING

from tests.doubles.slack.calls import Call, Handler
from tests.doubles.slack.errors import SlackError
from tests.doubles.slack.interactions import Interaction
from tests.doubles.slack.people import Person
from tests.doubles.slack.state import Payload
from tests.doubles.slack.views import View, check_view

if TYPE_CHECKING:
    from tests.doubles.slack.world import World


class Views:
    def __init__(self, world: "World") -> None:
        self._world = world

    def methods(self) -> dict[str, Handler]:
        return {
            "views.open": self.open,
            "views.push": self.push,
            "views.publish": self.publish,
            "views.update": self.update,
        }

    def open(self, call: Call) -> Payload:
        return self._show(call, below=False)

    def push(self, call: Call) -> Payload:
        return self._show(call, below=True)

    def _show(self, call: Call, *, below: bool) -> Payload:
        check_view(call.need("view"), "modal")
        interaction = self._exchange(call.get("trigger_id"))
        under = interaction.view if below else None
        view = View(interaction.person, call.arguments["view"], under)
        self._world.views[view.id] = view
        interaction.modal = view
        self._world.changed()
        return {"view": view.payload()}

    def _exchange(self, trigger_id: str) -> Interaction:
        """The interaction that a trigger_id is from; it is good once and for a short while."""
        for interaction in self._world.interactions.values():
            if interaction.trigger_id == trigger_id:
                if interaction.exchanged:
                    raise SlackError("exchanged_trigger_id")
                if time.monotonic() > interaction.created + self._world.trigger_life:
                    raise SlackError("expired_trigger_id")
                interaction.exchanged = True
                return interaction
        raise SlackError("invalid_trigger_id")

    def publish(self, call: Call) -> Payload:
        check_view(call.need("view"), "home")
        person = call.by.user(call.get("user_id"))
        if not isinstance(person, Person):
            raise SlackError("user_not_found")
        if person.home is None:
            person.home = View(person, call.arguments["view"])
            self._world.views[person.home.id] = person.home
        else:
            self._become(call, person.home)
        self._world.changed()
        return {"view": person.home.payload()}

    def update(self, call: Call) -> Payload:
        external = call.get("external_id")
        for view in self._world.views.values():
            if view.id == call.get("view_id") or (
                external and view.body.get("external_id") == external
            ):
                if not view.open:
                    break
                check_view(call.need("view"), view.body["type"])
                self._become(call, view)
                return {"view": view.payload()}
        raise SlackError("not_found")

    def _become(self, call: Call, view: View) -> None:
        if call.get("hash") and call.get("hash") != view.hash:
            raise SlackError("hash_conflict")
        view.become(call.arguments["view"])
