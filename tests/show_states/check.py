"""Whether the platforms would take what they are sent: the rules of their doubles."""

from tests.doubles.discord import messages as discord_messages
from tests.doubles.discord.forms import Modal
from tests.doubles.slack.blocks import check_blocks
from tests.doubles.slack.limits import UPDATED_TEXT
from tests.doubles.slack.views import check_view
from tests.show_states.state import Kind, State


def check(state: State) -> None:
    """Raise what the double answers where its platform would refuse the state."""
    payload = state.payload
    match state.platform, state.kind:
        case "discord", Kind.FORM:
            Modal(payload, None, None)
        case "discord", _:
            discord_messages.check(payload)
        case "slack", Kind.FORM:
            check_view(payload, "modal")
        case "slack", Kind.HOME:
            check_view(payload, "home")
        case "slack", Kind.STATUS:
            assert payload["status"]
        case _:
            check_blocks(payload["blocks"])
            assert len(payload["text"]) <= UPDATED_TEXT
