"""Which value is in effect where, and where it comes from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config import Config, Effort
from bot.conversation.events import Place
from bot.conversation.settings import Setting, SettingSource, resolve
from bot.conversation.texts import Texts
from bot.storage import ScopeKey, SettingsByScope

PLACE = Place("test", "s", "c", "t")
FILE = Config.model_validate(
    {
        "defaults": {"effort": "medium", "persona": "default"},
        "servers": {
            "s": {"effort": "low", "persona": "concise", "channels": {"c": {"effort": "high"}}}
        },
    }
)
LEVELS = st.sampled_from(list(Effort))


def stored(**values: str) -> SettingsByScope:
    """Efforts set in chat, by kind of scope."""
    ids = {"thread": "t", "channel": "c", "server": "s"}
    return {ScopeKey("test", kind, ids[kind]): {"effort": v} for kind, v in values.items()}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "message", "expected"),
    [
        (
            {"thread": "low", "channel": "medium", "server": "medium"},
            Effort.HIGH,
            SettingSource.MESSAGE,
        ),
        ({"thread": "low", "channel": "medium", "server": "medium"}, None, SettingSource.THREAD),
        ({"channel": "medium", "server": "low"}, None, SettingSource.CHANNEL),
        ({"server": "low"}, None, SettingSource.SERVER),
        ({}, None, SettingSource.FILE_CHANNEL),
    ],
)
def test_the_narrowest_scope_wins_and_chat_overrides_the_file(
    values: dict[str, str], message: Effort | None, expected: SettingSource
) -> None:
    effort = resolve(FILE, PLACE, stored(**values)).with_effort(message).effort
    assert effort is not None
    assert effort.source is expected


def test_the_file_falls_from_channel_to_server_to_defaults() -> None:
    assert resolve(FILE, PLACE, {}).effort == Setting(Effort.HIGH, SettingSource.FILE_CHANNEL)
    elsewhere = Place("test", "s", "other")
    assert resolve(FILE, elsewhere, {}).effort == Setting(Effort.LOW, SettingSource.FILE_SERVER)
    assert resolve(FILE, elsewhere, {}).persona == Setting("concise", SettingSource.FILE_SERVER)
    nowhere = resolve(FILE, Place("test", "x", "y"), {})
    assert nowhere.effort is None
    assert nowhere.persona == Setting("default", SettingSource.DEFAULT)


def test_a_personas_own_effort_stands_between_the_default_and_all_that_was_set() -> None:
    nothing_set = resolve(Config(), PLACE, {})
    assert nothing_set.effective_effort(Effort.HIGH, Effort.LOW) == Setting(
        Effort.HIGH, SettingSource.PERSONA
    )
    assert nothing_set.effective_effort(None, Effort.LOW) == Setting(
        Effort.LOW, SettingSource.DEFAULT
    )
    server_set = resolve(Config(), PLACE, stored(server="medium"))
    assert server_set.effective_effort(Effort.HIGH, Effort.LOW).source is SettingSource.SERVER


def test_a_channels_own_prompt_in_the_file_holds_until_chat_chooses_a_persona() -> None:
    config = Config.model_validate(
        {"servers": {"s": {"channels": {"c": {"system_prompt": "Only haiku."}}}}}
    )
    prompt = resolve(config, PLACE, {}).system_prompt
    assert prompt == Setting("Only haiku.", SettingSource.FILE_CHANNEL)
    chosen = {ScopeKey("test", "channel", "c"): {"persona": "riddles"}}
    assert resolve(config, PLACE, chosen).system_prompt is None


@given(thread=LEVELS, channel=LEVELS, server=LEVELS)
def test_a_thread_never_sees_what_was_set_in_another_one(
    thread: Effort, channel: Effort, server: Effort
) -> None:
    values = stored(thread=thread, channel=channel, server=server)
    other_thread = Place("test", "s", "c", "other")
    assert resolve(FILE, other_thread, values).effort == Setting(channel, SettingSource.CHANNEL)
    other_channel = Place("test", "s", "other", "other")
    assert resolve(FILE, other_channel, values).effort == Setting(server, SettingSource.SERVER)
    other_server = Place("test", "other", "other")
    assert resolve(FILE, other_server, values).effort is None


def test_thread_mentions_for_slack_alone_is_the_default_there() -> None:
    config = Config.model_validate({"slack": {"thread_mentions": True}})
    assert resolve(config, Place("slack", "s", "c"), {}).thread_mentions.value
    assert not resolve(config, Place("discord", "s", "c"), {}).thread_mentions.value
    chosen = {ScopeKey("slack", "server", "s"): {"thread_mentions": False}}
    assert not resolve(config, Place("slack", "s", "c"), chosen).thread_mentions.value


@pytest.mark.parametrize("source", SettingSource)
def test_each_origin_of_a_setting_has_a_text(source: SettingSource) -> None:
    assert Texts(Config(), "en")(f"source_{source}")
