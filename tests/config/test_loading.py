"""The configuration file: what it may say, and what is said about mistakes."""

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from bot.config import Config, ConfigError, Effort, builtin_config_dir, load_config


def load(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "bot.yaml"
    file.write_text(text, encoding="utf-8")
    return load_config(file)


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, text)
    return [p.replace(f"{tmp_path}/", "") for p in raised.value.problems]


def keys(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Every key of the schema, sections by their dotted names."""
    found = set()
    for name, info in model.model_fields.items():
        found.add(f"{prefix}{name}")
        for kind in (info.annotation, *get_args(info.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found |= keys(kind, f"{prefix}{name}.")
    return found


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, "").model_dump() == Config().model_dump()


def test_the_shipped_file_has_every_setting_at_its_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("INFERENCE_URL", "INFERENCE_MODEL", "DISCORD_TOKEN", "STORAGE_URL"):
        monkeypatch.delenv(name, raising=False)
    file = builtin_config_dir() / "bot.yaml"
    assert load_config(file).model_dump() == Config().model_dump()
    # Commented examples count: those keys have no default that could be shown.
    text = file.read_text(encoding="utf-8")
    missing = {key for key in keys(Config) if f"{key.rpartition('.')[2]}:" not in text}
    assert missing == set()


def test_the_built_in_personas_are_always_there(tmp_path: Path) -> None:
    personas = load(tmp_path, "personas: {pirate: Arr.}").personas
    assert {"default", "riddles", "concise", "code-review", "pirate"} <= set(personas)
    assert personas["riddles"].prompt == "Always respond in riddles"
    assert personas["pirate"].prompt == "Arr."


def test_personas_beside_the_file_are_found_and_the_file_overrides_them(tmp_path: Path) -> None:
    (tmp_path / "personas").mkdir()
    (tmp_path / "personas" / "pirate.yaml").write_text("prompt: Arr.\neffort: high\n")
    (tmp_path / "personas" / "riddles.yaml").write_text("Puzzle them")
    config = load(tmp_path, "personas: {riddles: From the file}")
    assert config.personas["pirate"].effort is Effort.HIGH
    assert config.personas["riddles"].prompt == "From the file"


def test_a_bad_persona_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "personas").mkdir()
    (tmp_path / "personas" / "broken.yaml").write_text("prompt: [")
    assert "personas/broken.yaml:1: not valid YAML" in problems(tmp_path, "")[0]


def test_a_mistake_in_a_persona_file_names_that_file_and_its_line(tmp_path: Path) -> None:
    (tmp_path / "personas").mkdir()
    (tmp_path / "personas" / "pirate.yaml").write_text("prompt: Arr.\neffort: max\n")
    assert problems(tmp_path, "defaults: {effort: low}") == [
        "personas/pirate.yaml:2: personas.pirate.effort: "
        "found 'max', allowed: 'low', 'medium' or 'high'"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "inference:\n  slots: many",
            "bot.yaml:2: inference.slots: found 'many', allowed: a whole number",
        ),
        ("inference:\n  slots: 0", "bot.yaml:2: inference.slots: found 0, allowed: at least 1"),
        (
            "# a comment\ndefaults:\n\n  effort: max",
            "bot.yaml:4: defaults.effort: found 'max', allowed: 'low', 'medium' or 'high'",
        ),
        (
            "inference:\n  device: gpu",
            "bot.yaml:2: inference.device: found 'gpu', "
            "allowed: auto, cpu, cuda, cuda:0, cuda:1, …",
        ),
        (
            "inference: {listen: here}",
            "bot.yaml:1: inference.listen: found 'here', "
            "allowed: HOST:PORT, such as 127.0.0.1:8000",
        ),
        (
            "inference:\n  modle: x",
            "bot.yaml:2: inference.modle: unknown key, did you mean 'model'?",
        ),
        (
            "storage: {zzz: x}",
            "bot.yaml:1: storage.zzz: unknown key, allowed: url",
        ),
        ("discord: 5", "bot.yaml:1: discord: found 5, allowed: keys with values"),
        (
            "slack:\n  bot_token: [xoxb-secret]",
            "bot.yaml:2: slack.bot_token: found ***, allowed: a text",
        ),
        ("discord: {token: 123}", "bot.yaml:1: discord.token: found ***, allowed: a text"),
        (
            "personas:\n  Bad!: x",
            "bot.yaml:2: personas.Bad!: found 'Bad!', allowed: 1 to 32 of a-z, 0-9, - and _",
        ),
        (
            "personas:\n  ok: {prompt: ''}",
            "bot.yaml:2: personas.ok.prompt: found '', allowed: a text that is not empty",
        ),
        (
            "servers:\n  1:\n    channels:\n      2: {system_prompt: a, persona: riddles}",
            "bot.yaml:4: servers.1.channels.2: found a dict, "
            "allowed: system_prompt or persona, not both",
        ),
        (
            "servers:\n  1:\n    persona: ridles",
            "bot.yaml:3: servers.1.persona: there is no persona 'ridles', did you mean 'riddles'?",
        ),
        (
            "storage:\n  url: a\nstorage:\n  url: b",
            "bot.yaml:1: storage: given twice, again in line 3",
        ),
        (
            "a: [",
            "bot.yaml:1: not valid YAML: expected the node content, but found '<stream end>'",
        ),
        ("defaults: {language: xx}", "bot.yaml:1: defaults.language: found 'xx', allowed: de, en"),
        ("- a", "bot.yaml:1: found a list, allowed: sections and keys"),
        (
            "inference:\n  model: ${NO_SUCH_VARIABLE}",
            "bot.yaml:2: inference.model: the environment variable NO_SUCH_VARIABLE is not set",
        ),
        (
            "texts: {thinking: '{mood}'}",
            "bot.yaml:1: texts.thinking: found {mood}, allowed: no fields",
        ),
        (
            "texts: {queued: '{place}'}",
            "bot.yaml:1: texts.queued: found {place}, allowed: {position}",
        ),
        (
            "texts: {thinkin: 'x'}",
            "bot.yaml:1: texts.thinkin: unknown key, did you mean 'thinking'?",
        ),
    ],
)
def test_a_mistake_is_one_line_with_file_line_key_and_what_is_allowed(
    tmp_path: Path, text: str, problem: str
) -> None:
    assert problem in problems(tmp_path, text)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = "inference: {slots: 0}\ndefaults: {effort: max}\nservers: {1: {persona: nobody}}"
    assert len(problems(tmp_path, text)) == 3


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(max_size=8), c, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(sorted(keys(Config))),
)
def test_no_value_anywhere_gives_more_than_clear_lines(value: Any, key: str) -> None:
    import tempfile

    data = value
    for part in reversed(key.split(".")):
        data = {part: data}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bot.yaml"
        file.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
        try:
            load_config(file)
        except ConfigError as error:
            for problem in error.problems:
                assert problem.startswith(str(file))
                assert "\n" not in problem


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: can't be read: No such file"):
        load_config(tmp_path / "nowhere.yaml")


def test_the_environment_fills_in_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLOTS", "4")
    monkeypatch.setenv("HOST", "0.0.0.0")
    text = "inference: {slots: '${SLOTS}', listen: '${HOST}:${PORT:-9000}', model: '${M:-}'}"
    inference = load(tmp_path, text).inference
    assert (inference.slots, inference.listen) == (4, "0.0.0.0:9000")
    assert inference.model == Config().inference.model


def test_what_a_variable_holds_is_not_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPT", "Say ${HOME} and: {a: b}")
    assert load(tmp_path, "personas: {p: '${PROMPT}'}").personas["p"].prompt == (
        "Say ${HOME} and: {a: b}"
    )


def test_a_dollar_elsewhere_is_just_a_dollar(tmp_path: Path) -> None:
    assert load(tmp_path, "personas: {p: It costs $5 or $HOME}").personas["p"].prompt == (
        "It costs $5 or $HOME"
    )


def test_bot_config_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "other.yaml"
    file.write_text("defaults: {effort: high}")
    monkeypatch.setenv("BOT_CONFIG", str(file))
    assert load_config().defaults.effort is Effort.HIGH


def test_without_any_file_the_defaults_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BOT_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    config = load_config()
    assert config.path is None
    assert config.model_dump() == Config().model_dump()


def test_ids_may_be_written_as_numbers(tmp_path: Path) -> None:
    config = load(tmp_path, "servers: {123456789012345678: {channels: {9: {answer: always}}}}")
    assert config.servers["123456789012345678"].channels["9"].answer == "always"


def test_secrets_do_not_show_in_the_configuration(tmp_path: Path) -> None:
    config = load(tmp_path, "discord: {token: very-secret}")
    assert "very-secret" not in repr(config)
    assert config.discord.token.get_secret_value() == "very-secret"
