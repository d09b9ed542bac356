"""The bot's own words."""

import re

import pytest

from bot.config import Config, builtin_texts
from bot.conversation.texts import Texts


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "1 s"), (42.4, "42 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (7200, "2 h")],
)
def test_a_waiting_time_is_told_as_people_say_it(seconds: float, shown: str) -> None:
    assert Texts(Config(), "en").duration(seconds) == shown


def test_the_operators_own_words_replace_the_bots() -> None:
    config = Config.model_validate({"texts": {"thinking": "Hmm…"}})
    assert Texts(config, "de")("thinking") == "Hmm…"


def test_what_a_language_lacks_is_said_in_english() -> None:
    assert "setting_line" not in builtin_texts("de")
    assert Texts(Config(), "de")("setting_line", key="a", value="b", source="c") == "- a: **b** (c)"


def test_translations_have_the_fields_of_the_english_texts() -> None:
    english, german = builtin_texts("en"), builtin_texts("de")
    assert set(german) <= set(english)
    for key, text in german.items():
        assert set(re.findall(r"{(.*?)}", text)) == set(re.findall(r"{(.*?)}", english[key])), key
