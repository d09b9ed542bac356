"""The configuration file: what it may say, and what is said about mistakes."""

import re
import tempfile
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from bot.config import (
    Config,
    ConfigError,
    Effort,
    builtin_config_dir,
    check_persona,
    load_config,
)

SHIPPED = (builtin_config_dir() / "bot.yaml").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _no_variables_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BOT_CONFIG", *re.findall(r"\$\{(\w+):-", SHIPPED)):
        monkeypatch.delenv(name, raising=False)


def load(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "bot.yaml"
    file.write_text(text, encoding="utf-8")
    return load_config(file)


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, text)
    return [p.replace(f"{tmp_path}/", "") for p in raised.value.problems]


def keys(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Every key of the schema by its dotted name; `*` stands for a name that people choose."""
    found = set()
    for name, info in model.model_fields.items():
        found.add(f"{prefix}{name}")
        for kind in (info.annotation, *get_args(info.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                chosen = "*." if get_origin(info.annotation) is dict else ""
                found |= keys(kind, f"{prefix}{name}.{chosen}")
    return found


def keys_in(data: Any, prefix: str = "") -> set[str]:
    """The keys of a file's data, named as `keys` does."""
    found = set()
    for name, value in data.items() if isinstance(data, dict) else ():
        found.add(f"{prefix}{name}")
        by_name = name in ("mcp", "personas", "servers", "channels") and isinstance(value, dict)
        chosen = "*." if by_name else ""
        for section in value.values() if chosen else [value]:
            found |= keys_in(section, f"{prefix}{name}.{chosen}")
    return found


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, "").model_dump() == Config().model_dump()


def test_the_shipped_file_has_every_setting_at_its_default(tmp_path: Path) -> None:
    assert load(tmp_path, SHIPPED).model_dump() == Config().model_dump()
    shown = keys_in(yaml.safe_load(SHIPPED))
    # What has no default is in the examples: see below.
    assert {k for k in keys(Config) if not k.startswith(("mcp.", "personas.", "servers."))} <= shown


def test_the_examples_in_the_shipped_file_are_right_and_show_the_rest(tmp_path: Path) -> None:
    """Its `#  key: value` lines, uncommented, with the empty `{}` before them taken out."""
    with_examples = re.sub(r"^#  ", "  ", SHIPPED, flags=re.MULTILINE)
    with_examples = re.sub(r": \{\}$", ":", with_examples, flags=re.MULTILINE)
    config = load(tmp_path, with_examples)
    assert config.personas["tutor"].sampling is not None
    assert config.texts
    # Of a channel's system prompt and persona, a file can have only one.
    missing = keys(Config) - keys_in(yaml.safe_load(with_examples))
    assert missing <= {"servers.*.channels.*.persona", "servers.*.permissions.change_server"}


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
            "bot.yaml:1: storage.zzz: unknown key, allowed: url, personas_per_server,"
            " versions_per_persona",
        ),
        ("discord: 5", "bot.yaml:1: discord: found 5, allowed: keys with values"),
        (
            "slack:\n  bot_token: [xoxb-secret]",
            "bot.yaml:2: slack.bot_token: found ***, allowed: a text",
        ),
        (
            "slack:\n  token_key: c2hvcnQ=",
            "bot.yaml:2: slack.token_key: found ***, allowed: 32 random bytes in base64, as"
            " `openssl rand -base64 32` makes them, and older such keys after commas",
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
            "bot.yaml:4: servers.1.channels.2: found keys with values, "
            "allowed: system_prompt or persona, not both",
        ),
        (
            "servers:\n  1:\n    persona: ridles",
            "bot.yaml:3: servers.1.persona: no persona is called 'ridles', did you mean 'riddles'?",
        ),
        (
            "storage:\n  url: a\nstorage:\n  url: b",
            "bot.yaml:3: not valid YAML: the key 'storage' is given twice, first in line 1",
        ),
        (
            "a: [",
            "bot.yaml:1: not valid YAML: while parsing a flow node, "
            "expected the node content, but found '<stream end>'",
        ),
        (
            "texts: {}\n---\ntexts: {}",
            "bot.yaml:2: not valid YAML: expected a single document in the stream, "
            "but found another document",
        ),
        ("texts: {[a]: b}", "bot.yaml:1: not valid YAML: a key must be text"),
        (
            "texts:\n  off: 2024-13-45",
            "bot.yaml:2: not valid YAML: a value isn't a valid timestamp",
        ),
        ("texts: " + "[" * 5000, "bot.yaml: not valid YAML: nested too deeply"),
        (
            "texts: \x00",
            "bot.yaml: not valid YAML: unacceptable character #x0000: "
            "special characters are not allowed",
        ),
        ("personas: {pirate: {effort: low}}", "bot.yaml:1: personas.pirate.prompt: is missing"),
        (
            "inference:\n  url: gpu-box:8000/v1",
            "bot.yaml:2: inference.url: found 'gpu-box:8000/v1', "
            "allowed: an address that begins with http:// or https://",
        ),
        (
            "inference: {models_dir: ~nobody-here/models}",
            "bot.yaml:1: inference.models_dir: found '~nobody-here/models', "
            "allowed: a folder; ~ is the home of a user of this machine",
        ),
        (
            "storage: {url: 'sqlite:///bot.db'}",
            "bot.yaml:1: storage.url: found 'sqlite:///bot.db', allowed: an SQLAlchemy URL with an "
            "asynchronous driver, such as sqlite+aiosqlite:///data/bot.db",
        ),
        (
            "defaults: {language: xx}",
            "bot.yaml:1: defaults.language: found 'xx', allowed: de, en, es, fr, ja",
        ),
        ("- a", "bot.yaml:1: found a list, allowed: sections and keys"),
        ("hello", "bot.yaml:1: found a text, allowed: sections and keys"),
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
            "texts: {queued: '{position:{width}}'}",
            "bot.yaml:1: texts.queued: found {position:{width}}, allowed: {position}",
        ),
        (
            "texts: {thinking: '{'}",
            "bot.yaml:1: texts.thinking: not a text with fields: "
            "Single '{' encountered in format string",
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


def doubling(line: str) -> str:
    """Thirty lines, each of which repeats the one before four times."""
    lines = [line.format(i=i, more=", ".join([f"*a{i - 1}"] * 4)) for i in range(1, 30)]
    return "\n".join(["a0: &a0 {x: y}", *lines])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (doubling("a{i}: &a{i} [{more}]"), "8: not valid YAML: more than 20000 values"),
        (doubling("a{i}: &a{i} {{<<: [{more}]}}"), "8: not valid YAML: more than 20000 values"),
        ("texts: [" + "a, " * 30_000 + "]", "1: not valid YAML: more than 20000 values"),
        ("servers: &all\n  1: *all", "2: not valid YAML: an alias stands in what it repeats"),
        ("servers: &all\n  <<: *all", "2: not valid YAML: an alias stands in what it repeats"),
        (
            "texts:\n  a: " + "x" * 17_000,
            "2: not valid YAML: a value of more than 16384 characters",
        ),
        ("slack:\n  client_id: " + "9" * 5000, "2: not valid YAML: a value isn't a valid int"),
        ("texts:\n  a: 1" + ":59" * 5000, "2: not valid YAML: a value isn't a valid int"),
        ("# " + "x" * 1_000_000, " not valid YAML: more than 1000000 bytes"),
    ],
    ids=["aliases", "merges", "values", "itself", "merged", "long", "number", "sixties", "bytes"],
)
def test_a_file_that_stands_for_more_than_a_machine_holds_is_one_line(
    tmp_path: Path, text: str, problem: str
) -> None:
    [found] = problems(tmp_path, text)
    assert found.startswith(f"bot.yaml:{problem}")


def test_aliases_and_merges_that_are_no_bomb_are_read(tmp_path: Path) -> None:
    text = "servers: {1: &one {effort: low, language: de}, 2: {<<: *one, effort: high}, 3: *one}"
    servers = load(tmp_path, text).servers
    assert [(s.effort, s.language) for s in servers.values()] == [
        ("low", "de"),
        ("high", "de"),
        ("low", "de"),
    ]


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = "inference: {slots: 0}\ndefaults: {effort: max}\nservers: {1: {persona: nobody}}"
    assert len(problems(tmp_path, text)) == 3


def values() -> list[str]:
    """The keys that hold a value and not further keys."""
    found = keys(Config)
    names = {"texts", "mcp.*.env", "mcp.*.headers"}  # that people choose
    return sorted(k for k in found - names if not any(o.startswith(f"{k}.") for o in found))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(max_size=8), c, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(sorted(keys(Config))),
)
def test_no_value_anywhere_gives_more_than_clear_lines(value: Any, key: str) -> None:
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
                assert problem.isprintable()


@pytest.mark.parametrize("wrong", ["[[]]", "{}"])
@pytest.mark.parametrize("key", values())
def test_a_mistake_in_any_setting_is_one_line_that_names_its_place(
    tmp_path: Path, key: str, wrong: str
) -> None:
    *sections, name = key.replace("*", "name").split(".")
    lines = [f"{'  ' * depth}{section}:" for depth, section in enumerate(sections)]
    lines.append(f"{'  ' * len(sections)}{name}: {wrong}")
    if sections[0] == "personas" and name != "prompt":
        lines.append("    prompt: A persona needs one.")
    [problem] = problems(tmp_path, "\n".join(lines))
    place = re.escape(".".join([*sections, name]))
    assert re.match(rf"bot\.yaml:{len(sections) + 1}: {place}(\.0)?: found", problem)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: can't be read: No such file"):
        load_config(tmp_path / "nowhere.yaml")


def test_a_file_that_is_not_utf_8_says_so(tmp_path: Path) -> None:
    file = tmp_path / "bot.yaml"
    file.write_bytes("texts: {thinking: Grüble}".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"bot\.yaml: is not UTF-8 text \(byte 20\)"):
        load_config(file)


@pytest.mark.parametrize(
    ("name", "prompt", "problem"),
    [
        ("Pirate!", "Arr.", "found 'Pirate!', allowed: 1 to 32 of a-z, 0-9, - and _"),
        ("p" * 33, "Arr.", "allowed: 1 to 32 of a-z, 0-9, - and _"),
        ("pirate", "a" * 8001, "found 8001 characters, allowed: at most 8000 characters"),
        ("pirate", "  ", "found '  ', allowed: a text that is not empty"),
    ],
)
def test_a_persona_made_in_chat_keeps_the_same_rules(name: str, prompt: str, problem: str) -> None:
    check_persona("p" * 32, "a" * 8000)
    with pytest.raises(ConfigError, match=problem):
        check_persona(name, prompt)


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


def test_the_file_in_the_current_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config").mkdir()
    Path("config/bot.yaml").write_text("defaults: {effort: high}")
    assert load_config().defaults.effort is Effort.HIGH


def test_without_any_file_the_defaults_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = load_config()
    assert config.path is None
    assert config.model_dump() == Config().model_dump()


def test_keys_are_taken_as_they_are_written(tmp_path: Path) -> None:
    config = load(tmp_path, "servers: {0123: {}, 1_0: {}}\npersonas: {on: Light., no: Dark.}")
    assert set(config.servers) == {"0123", "1_0"}
    assert {"on", "no"} <= set(config.personas)


def test_a_section_may_be_taken_over_and_changed(tmp_path: Path) -> None:
    text = """
servers:
  1: &usual {effort: low, persona: riddles}
  2: &hard {<<: *usual, effort: high}
  3: {<<: *hard, persona:}
"""
    servers = load(tmp_path, text).servers
    assert [servers[i].effort for i in "123"] == ["low", "high", "high"]
    assert [servers[i].persona for i in "123"] == ["riddles", "riddles", None]


@pytest.mark.parametrize(
    "text",
    [
        "discord: very-secret",
        "discord: ${TOKEN}",
        "slack: {bot_token: [very-secret]}",
        "inference: {api_key: {a: very-secret}}",
        "inference: {api_key: !!int very-secret}",
        "inference: {url: 'ftp://me:very-secret@host'}",
        "storage: {url: 'postgres://me:very-secret@host/bot'}",
        "servers: very-secret",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_shown(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "very-secret")
    assert "very-secret" not in "\n".join(problems(tmp_path, text))


def test_ids_may_be_written_as_numbers(tmp_path: Path) -> None:
    config = load(tmp_path, "servers: {123456789012345678: {channels: {9: {answer: always}}}}")
    assert config.servers["123456789012345678"].channels["9"].answer == "always"


@pytest.mark.parametrize("key", ["very-sécret", "very secret", "very-secret\n"])
def test_a_secret_that_no_header_can_carry_is_a_mistake_that_does_not_show_it(
    tmp_path: Path, key: str
) -> None:
    text = yaml.safe_dump({"inference": {"api_key": key}})
    (problem,) = problems(tmp_path, text)
    assert "inference.api_key" in problem
    assert "ASCII" in problem
    assert "very" not in problem


def test_secrets_do_not_show_in_the_configuration(tmp_path: Path) -> None:
    config = load(tmp_path, "discord: {token: very-secret}")
    assert "very-secret" not in repr(config)
    assert config.discord.token.get_secret_value() == "very-secret"
