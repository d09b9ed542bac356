"""Some states as pictures, for the README and the pages about Discord and Slack."""

from collections.abc import Callable, Iterable

from tests.show_states import discord_picture, slack_picture
from tests.show_states.replies import QUESTION
from tests.show_states.state import State
from tests.show_states.svg import Canvas

BOT, PERSON = "Robo", "Ann"
HOME_BLOCKS = 14


def drawings(states: Iterable[State]) -> dict[str, str]:
    """The pictures by name, as SVG."""
    named = {(state.platform, state.name): state for state in states}
    draw: dict[str, Callable[[], Canvas]] = {
        "discord-answer": lambda: _discord(named["discord", "done"]),
        "discord-queue": lambda: _discord(named["discord", "third in the queue"]),
        "discord-settings": lambda: _discord(named["discord", "/settings"], private=True),
        "slack-answer": lambda: _slack(named["slack", "done"]),
        "slack-status": lambda: _slack_status(named["slack", "third in the queue"]),
        "slack-home": lambda: _slack_home(named["slack", "Home"]),
    }
    return {name: made().finished() for name, made in draw.items()}


def _discord(state: State, *, private: bool = False) -> Canvas:
    canvas = discord_picture.conversation()
    if not private:
        discord_picture.message(canvas, PERSON, {"content": f"@{BOT} {QUESTION}"})
    discord_picture.message(canvas, BOT, state.payload, private=private)
    return canvas


def _slack_question() -> Canvas:
    canvas = slack_picture.conversation()
    asked = {"type": "section", "text": {"type": "mrkdwn", "text": f"@{BOT} {QUESTION}"}}
    slack_picture.message(canvas, PERSON, [asked], is_app=False)
    return canvas


def _slack(state: State) -> Canvas:
    canvas = _slack_question()
    slack_picture.message(canvas, BOT, state.payload["blocks"])
    return canvas


def _slack_status(state: State) -> Canvas:
    canvas = _slack_question()
    slack_picture.status(canvas, BOT, state.payload)
    return canvas


def _slack_home(state: State) -> Canvas:
    canvas = slack_picture.conversation()
    slack_picture.home(canvas, state.payload, HOME_BLOCKS)
    return canvas
