"""The bot's own words."""

import re

import pytest

from bot.config import Config, Text, builtin_config_dir, builtin_languages, builtin_texts
from bot.conversation.texts import Texts


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "1 s"), (42.4, "42 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "2 h")],
)
def test_a_waiting_time_is_told_as_people_say_it(seconds: float, shown: str) -> None:
    assert Texts(Config(), "en").duration(seconds) == shown


def test_the_operators_own_words_replace_the_bots() -> None:
    config = Config.model_validate({"texts": {"thinking": "Hmm…"}})
    assert Texts(config, "de")("thinking") == "Hmm…"


def test_what_a_language_lacks_is_said_in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(builtin_texts("de"), "stopped")
    assert Texts(Config(), "de")("stopped") == builtin_texts("en")["stopped"]


def test_a_number_chooses_the_form_of_a_text() -> None:
    english, german = Texts(Config(), "en"), Texts(Config(), "de")
    assert english("status_speed", count=1) == "Speed: 1 token a second"
    assert english("status_speed", count=2) == "Speed: 2 tokens a second"
    assert german("question_cut", count=1).endswith("Ihr letztes Zeichen habe ich weggelassen.")


def test_a_server_is_a_workspace_on_slack() -> None:
    discord, slack = (Texts(Config(), "en", platform) for platform in ("discord", "slack"))
    assert "This server" in discord("quota_server", wait="2 h")
    assert "This workspace" in slack("quota_server", wait="2 h")
    own = Config.model_validate({"texts": {"quota_server": "Enough."}})
    assert Texts(own, "en", "slack")("quota_server", wait="2 h") == "Enough."


def test_only_slacks_commands_begin_with_the_prefix() -> None:
    told = "/effort low, /effort; https://example.com/help a/b"
    assert Texts(Config(), "en", "discord").command(told) == told
    on_slack = Texts(Config(), "en", "slack").command(told)
    assert on_slack == "/bot-effort low, /bot-effort; https://example.com/help a/b"
    own = Config.model_validate({"slack": {"command_prefix": ""}})
    assert Texts(own, "en", "slack").command(told) == told


@pytest.mark.parametrize(
    ("platform", "typed", "meant"),
    [
        ("slack", "/bot-effort high channel", "/effort high channel"),
        ("slack", "/bot effort high", "/effort high"),
        ("slack", "/Bot  /effort high", "/effort high"),
        ("slack", "/bot", "/help"),
        ("slack", "/bot ", "/help"),
        ("slack", "/effort high", "/effort high"),
        ("discord", "/bot effort high", "/bot effort high"),
    ],
)
def test_a_command_is_known_with_the_apps_prefix_and_without(
    platform: str, typed: str, meant: str
) -> None:
    assert Texts(Config(), "en", platform).plain_command(typed) == meant


def test_what_can_be_chosen_and_what_was_measured_is_written_as_people_do() -> None:
    english, german = Texts(Config(), "en"), Texts(Config(), "de")
    assert english.choice(["low", "medium", "high"]) == "low, medium or high"
    assert german.choice(["low", "medium", "high"]) == "low, medium oder high"
    assert english.elapsed(1.25) == "1.2 s"
    assert german.elapsed(1.25) == "1,2 s"


LANGUAGES = [language for language in builtin_languages() if language != "en"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_every_text_with_every_field(language: str) -> None:
    english, translated = builtin_texts("en"), builtin_texts(language)
    assert set(translated) == set(english)
    for key, text in translated.items():
        assert fields_of(forms_of(text)["other"]) == fields_of(forms_of(english[key])["other"]), key


@pytest.mark.parametrize("language", builtin_languages())
def test_a_text_has_the_forms_that_its_language_needs(language: str) -> None:
    locale = Texts(Config(), language).locale
    for key, text in builtin_texts(language).items():
        if not isinstance(text, str):
            rule = locale.ordinal_form if "position" in text["other"] else locale.plural_form
            known = {*rule.tags, "other"}
            assert all(form in known or re.fullmatch(r"=\d+", form) for form in text), key


@pytest.mark.parametrize("language", builtin_languages())
def test_only_slack_has_workspaces(language: str) -> None:
    texts = builtin_texts(language)
    for key, text in texts.items():
        for form in forms_of(text).values():
            if key.endswith("_slack"):
                assert "server" not in form.lower(), key
                assert key.removesuffix("_slack") in texts


def test_each_field_of_the_english_texts_is_explained_to_translators() -> None:
    """At the head of the file, at the head of its section, or right above the text."""
    head, *sections = TEXTS.split("\n\n")
    for section in sections:
        notes = [""]
        for line in section.splitlines():
            if line.startswith("#"):
                notes[-1] += line
            elif not line.startswith(" "):
                key = line.partition(":")[0]
                told = head + notes[0] + notes[-1]
                for field in fields_of(*forms_of(builtin_texts("en")[key]).values()):
                    assert f"{{{field}}}" in told, f"{key}: {field}"
                notes.append("")


@pytest.mark.parametrize("language", builtin_languages())
def test_what_menus_show_fits_them(language: str) -> None:
    """https://docs.discord.com/developers/interactions/application-commands"""
    for key, text in builtin_texts(language).items():
        if key.startswith(("command_", "group_", "option_")):
            assert len(text) <= 100, key
        if key in ("ask_title", "catch_up_title"):
            assert len(text) <= 32, key


@pytest.mark.parametrize("words", ["is no ", "anew", "shall", "in force", " alone"])
def test_the_texts_are_plain_english(words: str) -> None:
    for key, text in builtin_texts("en").items():
        assert all(words not in form.lower() for form in forms_of(text).values()), key


TEXTS = (builtin_config_dir() / "texts" / "en.yaml").read_text(encoding="utf-8")


def forms_of(text: Text) -> dict[str, str]:
    return {"other": text} if isinstance(text, str) else text


def fields_of(*texts: str) -> set[str]:
    return {field for text in texts for field in re.findall(r"{(.*?)}", text)}
