"""Modals: forms that the bot opens and a person fills.

https://docs.discord.com/developers/components/reference
"""

from tests.doubles.discord.errors import ApiError, at_most
from tests.doubles.discord.messages import Body
from tests.doubles.discord.state import Channel, Message, walk

SELECT, TEXT_INPUT, LABEL = 3, 4, 18


class Modal:
    """A form that the bot opened. `inputs` are its parts by label."""

    def __init__(self, body: Body, channel: Channel, message: Message | None) -> None:
        at_most("title", body["title"], 45, least=1)
        at_most("custom_id", body["custom_id"], 100, least=1)
        if not 1 <= len(body["components"]) <= 5:
            raise ApiError(50035, message="Invalid Form Body")
        self.channel = channel
        self.message = message
        """The message whose button opened it."""
        self.title: str = body["title"]
        self.custom_id: str = body["custom_id"]
        self.components: list[Body] = body["components"]
        self.inputs: dict[str, Body] = {}
        for component in walk(self.components):
            if component["type"] == LABEL:
                at_most("label", component["label"], 45, least=1)
                self.inputs[component["label"]] = component["component"]
            elif component["type"] == TEXT_INPUT and component.get("label"):
                self.inputs[component["label"]] = component

    @property
    def values(self) -> dict[str, str]:
        """What the inputs are filled with at first."""
        return {label: _prefilled(component) for label, component in self.inputs.items()}

    def filled(self, answers: dict[str, str]) -> list[Body]:
        """The components of a submission; asserts what Discord's form would not let pass."""
        unknown = answers.keys() - self.inputs.keys()
        assert not unknown, f"the form has {[*self.inputs]}, not {unknown}"
        for label, value in (self.values | answers).items():
            component = self.inputs[label]
            most, least = component.get("max_length", 4000), component.get("min_length", 0)
            assert value or not component.get("required", True), f"{label} is required"
            assert not value or least <= len(value) <= most, f"{label} has the wrong length"
            if options := component.get("options"):
                assert not value or value in [o["value"] for o in options], f"no option {value}"
        by_id = {self.inputs[label]["custom_id"]: text for label, text in answers.items()}
        return [_submitted(component, by_id) for component in self.components]


def _prefilled(component: Body) -> str:
    options = component.get("options") or []
    chosen = next((o["value"] for o in options if o.get("default")), "")
    return str(component.get("value") or chosen)


def _submitted(component: Body, answers: dict[str, str]) -> Body:
    part: Body = {"type": component["type"], "id": component.get("id", 0)}
    if "components" in component:
        part["components"] = [_submitted(inner, answers) for inner in component["components"]]
    elif "component" in component:
        part["component"] = _submitted(component["component"], answers)
    elif "custom_id" in component:
        value = answers.get(component["custom_id"], _prefilled(component))
        part["custom_id"] = component["custom_id"]
        part |= (
            {"values": [value] if value else []}
            if component["type"] == SELECT
            else {"value": value}
        )
    return part
