"""Personas from character cards and texts."""

from typing import Any

import pytest

from bot.config import DESCRIPTION_LENGTH, PROMPT_LENGTH
from bot.conversation import importing
from bot.conversation.commands import COMMANDS, CommandCall
from bot.conversation.importing import (
    NotImported,
    PersonaDraft,
    PersonaDrafts,
    free_name,
    imported,
)
from tests.conversation.cards import ARIA, as_json, as_picture, card
from tests.conversation.conftest import ANN, Chat

PROMPT = """\
You are Aria of the Isles. Stay in character.

Aria of the Isles keeps the lighthouse. She likes the user.

Personality: calm

Scenario: the user washes ashore.

How Aria of the Isles speaks, for example:
*Aria of the Isles waves.* Ahoy, the user!

---
the user: Hi
Aria of the Isles: Ahoy!"""


@pytest.mark.parametrize(
    "data",
    [
        as_json(card(1)),
        as_json(card(2)),
        as_json(card(3)),
        b"\xef\xbb\xbf" + as_json(card(2)),
        as_picture(chara=card(2)),
        as_picture(ccv3=card(3)),
        as_picture(chara=card(2, name="Old"), ccv3=card(3)),
    ],
    ids=["v1", "v2", "v3", "byte order mark", "picture v2", "picture v3", "picture of both"],
)
async def test_a_card_of_each_version_becomes_a_persona(data: bytes) -> None:
    draft = await imported("whatever.bin", data)
    assert (draft.name, draft.prompt, draft.left_out) == ("aria-of-the-isles", PROMPT, False)


async def test_a_cards_own_prompt_and_nickname_are_used() -> None:
    more = {"nickname": "Ria", "system_prompt": "{{original}}Be {{char}}.", "creator_notes": "Sea"}
    draft = await imported("a.json", as_json(card(3, **more, post_history_instructions="Short.")))
    assert draft.prompt.startswith("Be Ria.\n\nRia keeps the lighthouse.")
    assert draft.prompt.endswith("Short.")
    assert (draft.name, draft.description) == ("aria-of-the-isles", "Sea")


async def test_a_cards_own_prompt_is_enough() -> None:
    only_named = dict.fromkeys(ARIA, "") | {"name": "Aria"}
    data = as_json(card(2, **only_named, system_prompt="Be <BOT>.\r\nBe kind."))
    assert await imported("a.json", data) == PersonaDraft("aria", "Be Aria.\nBe kind.")


async def test_examples_give_way_where_all_is_too_long() -> None:
    draft = await imported("a.json", as_json(card(2, mes_example="word " * PROMPT_LENGTH)))
    assert draft.prompt == PROMPT.partition("\n\nHow Aria")[0]
    assert draft.left_out


@pytest.mark.parametrize(
    "part",
    [
        {"character_book": {"entries": [{"keys": ["sea"], "content": "wet"}]}},
        {"alternate_greetings": ["Ahoy again!"]},
    ],
    ids=["book", "greetings"],
)
async def test_what_a_persona_has_no_place_for_is_left_out_and_told(part: dict[str, Any]) -> None:
    draft = await imported("a.json", as_json(card(2, **part)))
    assert (draft.prompt, draft.left_out) == (PROMPT, True)


async def test_a_description_is_cut_to_one_line_that_fits() -> None:
    fits, too_long = "x" * DESCRIPTION_LENGTH, "x" * (DESCRIPTION_LENGTH + 1)
    assert (await imported("a.json", as_json(card(creator_notes=fits)))).description == fits
    cut = (await imported("a.json", as_json(card(creator_notes=too_long)))).description
    assert cut == f"{fits[:-1]}…"
    two_lines = await imported("a.json", as_json(card(description="Keeps\nthe lighthouse.")))
    assert two_lines.description == "Keeps the lighthouse."


async def test_a_text_is_the_prompt() -> None:
    draft = await imported("Old Sailor.txt", "Talk like a sailor.\n".encode("utf-16"))
    assert draft == PersonaDraft("old-sailor", "Talk like a sailor.")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (as_picture(), "import_no_card"),
        (as_picture(comment=card()), "import_no_card"),
        (as_picture(chara=card())[:80], "import_unreadable"),
        (as_picture(chara=["a"]), "import_no_card"),
        (b'\n {"a": 1}', "import_no_card"),
        (b'{"name": "Nobody"}', "import_no_card"),
        (b'{"spec": "chara_card_v2", "data": []}', "import_no_card"),
        (as_json(card(2, name=None)), "import_no_card"),
        (b'{"name": ', "import_unreadable"),
        (b'{"a":' + b"[" * 200_000, "import_unreadable"),
        (b"\x7fELF\0\1\2\3\0\0\0\0\xff\xfe\xfd", "import_unreadable"),
        (b"", "import_unreadable"),
        (b"x" * (2 << 20), "import_unreadable"),
    ],
)
async def test_what_is_no_persona_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(NotImported, match=f"^{why}$"):
        await imported("a.bin", data)


def test_the_newest_drafts_are_remembered_until_they_are_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importing, "REMEMBERED", 2)
    drafts, draft = PersonaDrafts(), PersonaDraft("aria", "Be kind.")
    for person in ("1", "2", "3"):
        drafts.put((person,), draft)
    assert [drafts.get((person,)) for person in ("1", "2", "3")] == [None, draft, draft]
    drafts.drop(("2",))
    drafts.drop(("2",))
    assert [drafts.get((person,)) for person in ("2", "3")] == [None, draft]


def test_a_name_that_is_taken_gets_a_number() -> None:
    assert free_name("aria", ()) == "aria"
    assert free_name("aria", ("aria", "aria-2")) == "aria-3"
    assert len(free_name("a" * 32, ("a" * 32,))) <= 32


@pytest.mark.parametrize("name", ["Ärger & Söhne!", "日本", "--", "x" * 50])
async def test_every_cards_name_becomes_one_that_personas_may_have(name: str, chat: Chat) -> None:
    draft = await imported("a.json", as_json(card(2, name=name)))
    said = await chat.command(f"/persona create {draft.name} Be kind.")
    assert said.startswith("Saved")


async def test_an_import_is_shown_and_saved_by_the_form_that_begins_with_it(chat: Chat) -> None:
    chat.file = ("aria.json", as_json(card()))
    shown = await chat.run("/persona import")
    assert shown.then is COMMANDS["persona create"]
    assert "**aria-of-the-isles**" in shown.text
    assert "Nothing is saved yet." in shown.text
    assert "> Aria of the Isles keeps the lighthouse." in shown.text
    assert "aria" not in await chat.command("/persona list")
    create = CommandCall(COMMANDS["persona create"])
    filled = await chat.core.fill_form(create, await chat.context())
    assert filled["name"] == "aria-of-the-isles"
    assert filled["text"] == PROMPT
    saved = await chat.run(CommandCall(COMMANDS["persona create"], filled))
    assert saved.text == "Saved aria-of-the-isles, version 1."
    assert await chat.core.fill_form(create, await chat.context()) == {}


async def test_of_a_long_import_the_beginning_is_shown_and_the_form_has_all(chat: Chat) -> None:
    chat.file = ("tide.txt", b"x" * PROMPT_LENGTH)
    shown = await chat.command("/persona import")
    assert f"\n> {'x' * 1000}…\n" in shown
    filled = await chat.core.fill_form(
        CommandCall(COMMANDS["persona create"]), await chat.context()
    )
    assert filled["text"] == "x" * PROMPT_LENGTH
    chat.file = ("tide.txt", b"x" * 1000)
    assert f"\n> {'x' * 1000}\n" in await chat.command("/persona import")


async def test_what_an_import_leaves_out_is_told(chat: Chat) -> None:
    chat.file = ("aria.json", as_json(card()))
    whole = (await chat.command("/persona import")).splitlines()
    book = {"entries": [{"keys": ["sea"], "content": "wet"}]}
    chat.file = ("aria.json", as_json(card(2, character_book=book)))
    told = (await chat.command("/persona import")).splitlines()
    assert [line for line in told if line not in whole] == [
        "A part of the file was left out: personas have no lore books, other greetings, or examples"
        " beyond the limit."
    ]
    assert set(whole) <= set(told)


async def test_an_import_takes_a_name(chat: Chat) -> None:
    chat.file = ("aria.json", as_json(card()))
    assert "**keeper**" in await chat.command("/persona import keeper")


async def test_what_cannot_be_imported_is_one_line(chat: Chat) -> None:
    assert "Send the file along" in await chat.command("/persona import")
    chat.file = ("aria.json", as_json(card(2, description="x" * 9000)))
    refusal = await chat.command("/persona import")
    assert "and a persona may have at most 8000." in refusal
    chat.file = ("aria.json", as_json({"a": ARIA}))
    assert await chat.command("/persona import") == "“aria.json” has no character card in it."
    chat.file = ("aria.json", as_json(card()))
    assert await chat.command("/persona import", ANN) == (
        "Only administrators can change this server's personas."
    )
