"""The personas that a server can use."""

from datetime import UTC, datetime

import pytest

from bot.config import Config, Effort, SamplingConfig
from bot.conversation.personas import Persona, UnknownPersona, all_personas, persona_named
from bot.storage import StoredPersona

LATELY = datetime(2026, 11, 28, tzinfo=UTC)
CONFIG = Config.model_validate(
    {
        "personas": {
            "sailor": {
                "prompt": "Talk like a sailor.",
                "description": "Salty",
                "effort": "low",
                "sampling": {"temperature": 0.5},
                "suggestions": ["Which way is north?"],
            },
            "default": {"prompt": "Help."},
        }
    }
)


def stored(name: str, effort: str | None = None) -> StoredPersona:
    return StoredPersona(name, 3, "Be kind.", "Kind", effort, False, None, LATELY, "1")


def test_a_files_persona_has_all_that_the_file_says() -> None:
    assert all_personas(CONFIG, [])["sailor"] == Persona(
        "sailor",
        "Talk like a sailor.",
        "Salty",
        Effort.LOW,
        SamplingConfig(temperature=0.5),
        ["Which way is north?"],
    )


def test_a_servers_own_persona_stands_in_place_of_the_files() -> None:
    personas = all_personas(CONFIG, [stored("sailor"), stored("aria", "high")])
    assert list(personas) == sorted(personas)
    assert personas["sailor"] == Persona("sailor", "Be kind.", "Kind", version=3)
    assert personas["aria"] == Persona("aria", "Be kind.", "Kind", Effort.HIGH, version=3)


@pytest.mark.parametrize(("name", "nearest"), [("sailr", "sailor"), ("xyz", None)])
def test_a_name_that_nobody_has_is_told_with_the_nearest(name: str, nearest: str | None) -> None:
    personas = all_personas(CONFIG, [])
    assert persona_named(personas, "sailor").name == "sailor"
    with pytest.raises(UnknownPersona) as caught:
        persona_named(personas, name)
    assert (caught.value.name, caught.value.nearest) == (name, nearest)
    assert caught.value.known == list(personas)
