"""All states of both platforms."""

from tests.show_states import on_discord, on_slack
from tests.show_states.state import State


async def all_states(language: str) -> list[State]:
    """In the order in which people meet them, in a language."""
    discord = [state async for state in on_discord.states(language)]
    return discord + [state async for state in on_slack.states(language)]
