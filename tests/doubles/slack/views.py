"""Views: modals, which the app opens and a person fills, and Home tabs.

https://docs.slack.dev/surfaces/modals, https://docs.slack.dev/reference/views
"""

import secrets
from typing import TYPE_CHECKING

from tests.doubles.slack.blocks import buttons_of, check_blocks, text_of
from tests.doubles.slack.errors import SlackError, invalid
from tests.doubles.slack.limits import IDENTIFIER, PRIVATE_METADATA, VIEW_BLOCKS, VIEW_TITLE
from tests.doubles.slack.state import Payload, new_id

if TYPE_CHECKING:
    from tests.doubles.slack.people import Person

MULTIPLE = ("checkboxes", "multi_static_select")
SELECTED = {"multi_users_select": "selected_users", "users_select": "selected_user"}


class View:
    """A modal or Home tab as it stands. `inputs` are the blocks of a modal's inputs by label."""

    def __init__(self, person: "Person", body: Payload, below: "View | None" = None) -> None:
        self.person = person
        self.id = new_id("V")
        self.below = below
        """The view that this one was pushed onto."""
        self.versions: list[Payload] = []
        self.open = True
        self.become(body)

    def become(self, body: Payload) -> None:
        self.body = body
        for block in body["blocks"]:
            block.setdefault("block_id", secrets.token_hex(4))
        self.versions.append(body)
        self.hash = f"{len(self.versions)}.{secrets.token_hex(4)}"
        self.person.world.changed()

    def close(self) -> None:
        self.open = False
        self.person.world.changed()

    @property
    def title(self) -> str:
        return str((self.body.get("title") or {}).get("text", ""))

    @property
    def blocks(self) -> list[Payload]:
        return list(self.body["blocks"])

    @property
    def text(self) -> str:
        return text_of(self.blocks)

    @property
    def buttons(self) -> list[str]:
        return list(buttons_of(self.blocks))

    @property
    def inputs(self) -> dict[str, Payload]:
        return {b["label"]["text"]: b for b in self.blocks if b["type"] == "input"}

    @property
    def values(self) -> dict[str, str]:
        """What the inputs are filled with at first."""
        return {label: _prefilled(block["element"]) for label, block in self.inputs.items()}

    def filled(self, answers: dict[str, str]) -> Payload:
        """The state of a submission; asserts what Slack's form would not let pass."""
        unknown = answers.keys() - self.inputs.keys()
        assert not unknown, f"the form has {[*self.inputs]}, not {unknown}"
        state: Payload = {}
        for label, value in (self.values | answers).items():
            block = self.inputs[label]
            element = block["element"]
            assert value or block.get("optional"), f"{label} is required"
            most, least = element.get("max_length", 3000), element.get("min_length", 0)
            assert not value or least <= len(value) <= most, f"{label} has the wrong length"
            state[block["block_id"]] = {element["action_id"]: _state(element, value)}
        return state

    def payload(self, state: Payload | None = None) -> Payload:
        workspace, world = self.person.workspace, self.person.world
        root = self
        while root.below:
            root = root.below
        return self.body | {
            "id": self.id,
            "team_id": workspace.id,
            "app_id": world.app.id,
            "app_installed_team_id": workspace.id,
            "bot_id": workspace.bot_id,
            "callback_id": self.body.get("callback_id", ""),
            "private_metadata": self.body.get("private_metadata", ""),
            "external_id": self.body.get("external_id", ""),
            "state": {"values": state or {}},
            "hash": self.hash,
            "root_view_id": root.id,
            "previous_view_id": self.below.id if self.below else None,
        }


def check_view(body: Payload, kind: str) -> None:
    """Refuse what Slack refuses."""
    if body.get("type") != kind:
        raise invalid("invalid_arguments", f"must be {kind}", "/view/type")
    if kind == "modal":
        for name, needed in (("title", True), ("submit", False), ("close", False)):
            text = (body.get(name) or {}).get("text", "")
            if len(text) > VIEW_TITLE or (needed and not text):
                raise invalid("invalid_arguments", f"1 to {VIEW_TITLE} characters", f"/view/{name}")
        if any(b.get("type") == "input" for b in body["blocks"]) and not body.get("submit"):
            raise invalid("invalid_arguments", "missing required field: submit", "/view")
    if len(body.get("private_metadata", "")) > PRIVATE_METADATA:
        raise invalid("invalid_arguments", "too long", "/view/private_metadata")
    if len(body.get("callback_id", "")) > IDENTIFIER:
        raise invalid("invalid_arguments", "too long", "/view/callback_id")
    try:
        check_blocks(body["blocks"], VIEW_BLOCKS)
    except SlackError as error:
        raise SlackError(
            "invalid_arguments",
            response_metadata=error.body.get("response_metadata", {"messages": [error.error]}),
        ) from None


def _prefilled(element: Payload) -> str:
    option = element.get("initial_option") or {}
    return str(element.get("initial_value") or option.get("value") or "")


def _state(element: Payload, value: str) -> Payload:
    """An input's state: https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload"""
    kind = element["type"]
    if "options" not in element:
        return {"type": kind, SELECTED.get(kind, "value"): value or None}
    chosen = [o for o in element["options"] if o["value"] == value]
    assert chosen or not value, f"no option {value!r}"
    if kind in MULTIPLE:
        return {"type": kind, "selected_options": chosen}
    return {"type": kind, "selected_option": chosen[0] if chosen else None}
