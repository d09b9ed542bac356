"""`python -m tests.show_states` prints every state; here each is held to the platforms' limits."""

from xml.etree import ElementTree

import pytest

from bot.config import builtin_languages
from tests.show_states.check import check
from tests.show_states.every import all_states
from tests.show_states.pictures import drawings
from tests.show_states.plain import text_of


@pytest.mark.parametrize("language", builtin_languages())
async def test_the_platforms_take_every_state(language: str) -> None:
    states = await all_states(language)
    for state in states:
        check(state)
        assert text_of(state)
    for name, drawing in drawings(states).items():
        assert ElementTree.fromstring(drawing).tag.endswith("svg"), name
