"""What holds at a place: read once, from the file and from chat."""

from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

from bot.config import Config, Effort
from bot.conversation.events import Author, Place
from bot.conversation.in_effect import InEffect
from bot.conversation.personas import Persona
from bot.conversation.settings import Setting, SettingSource
from bot.storage import ScopeKey, StoredPlace
from tests.conversation.conftest import ANN

CHANNEL = ScopeKey("slack", "channel", "c")


def at(chosen: dict[str, Any] | None = None, **sections: Any) -> InEffect:
    """`chosen`: in chat, for the channel."""
    stored = StoredPlace({CHANNEL: chosen} if chosen else {}, [], "7")
    return InEffect.at(Place("slack", "s", "c"), Config.model_validate(sections), stored)


def test_texts_are_those_of_the_platform_and_the_conversation_begins_where_it_was_left() -> None:
    here = at()
    assert "This workspace" in here.texts("quota_server", wait="2 h")
    assert here.conversation_start == "7"


def test_a_person_reads_and_types_times_in_their_own_zone_else_in_the_one_set() -> None:
    tokyo, berlin = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin")
    there = at(conversation={"time_zone": "Europe/Berlin"})
    assert there.zone_of(Author("1", "Ann", zone=tokyo)) == tokyo
    assert there.zone_of(ANN) == berlin
    assert at().zone_of(ANN) == UTC


def test_a_channels_own_prompt_answers_without_a_name() -> None:
    here = at(servers={"s": {"channels": {"c": {"system_prompt": "Only haiku."}}}})
    assert here.persona == Persona("", "Only haiku.")
    assert here.listed[0] == ("system_prompt", Setting("Only haiku.", SettingSource.FILE_CHANNEL))


def test_a_persona_that_is_gone_gives_way_to_the_files_default() -> None:
    here = at({"persona": "gone"})
    assert here.persona.name == "default"
    assert here.listed[0] == ("persona", Setting("default", SettingSource.CHANNEL))


def test_a_message_can_have_an_effort_of_its_own_above_its_personas() -> None:
    here = at(personas={"default": {"prompt": "Help.", "effort": "low"}})
    assert here.effort == Setting(Effort.LOW, SettingSource.PERSONA)
    high = here.for_message(Effort.HIGH)
    assert high.effort == Setting(Effort.HIGH, SettingSource.MESSAGE)
    assert here.for_message(None).effort == here.effort


def test_people_are_shown_all_settings_in_one_order() -> None:
    assert [name for name, _ in at().listed] == [
        *("persona", "effort", "answer", "thread_mentions", "channel_messages"),
        *("time_zone", "language", "show_reasoning"),
    ]
