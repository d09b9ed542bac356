"""Personas from files: a character card, in JSON or in a picture, or a plain text."""

import json
import re
import unicodedata
from collections import OrderedDict
from collections.abc import Container, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import PurePosixPath
from typing import Any

from bot.config import DESCRIPTION_LENGTH, PROMPT_LENGTH
from bot.documents.kinds import Kind
from bot.documents.problems import FileProblem, UnreadableFile

FILE_BYTES = 10 << 20
"""Of a card; most are pictures of one or two megabytes."""
TEXT_BYTES = 1 << 20
"""Of what stands in it: some have a whole book."""
REMEMBERED = 500
NAME_LENGTH = 32
USER = "the user"
"""What a card's `{{user}}` becomes: several people may talk to the persona."""

_PNG = b"\x89PNG\r\n\x1a\n"
_MACRO = re.compile(
    r"\{\{\s*((?://|comment:|hidden_key:).*?|char|user|original)\s*\}\}|<(bot|char|user)>",
    re.I | re.S,
)
_SPECS = ("chara_card_v2", "chara_card_v3")


class NotImported(Exception):
    """A file that no persona can be made of; the message is the key of a text that says why."""


@dataclass(frozen=True)
class PersonaDraft:
    """A persona that isn't saved yet. `left_out`: whether a part of the file was."""

    name: str
    prompt: str
    description: str = ""
    left_out: bool = False


class PersonaDrafts:
    """What people have imported and not saved, by who and where; in memory only."""

    def __init__(self) -> None:
        self._drafts: OrderedDict[tuple[str, ...], PersonaDraft] = OrderedDict()

    def put(self, key: tuple[str, ...], draft: PersonaDraft) -> None:
        self._drafts[key] = draft
        while len(self._drafts) > REMEMBERED:
            self._drafts.popitem(last=False)

    def get(self, key: tuple[str, ...]) -> PersonaDraft | None:
        return self._drafts.get(key)

    def drop(self, key: tuple[str, ...]) -> None:
        self._drafts.pop(key, None)


async def imported(file_name: str, data: bytes) -> PersonaDraft:
    """The persona that a file describes, whatever it is called. Raises NotImported."""
    from bot.documents.reading import read_document  # only where a persona is imported

    kind = Kind.CHARACTER_CARD if data.startswith(_PNG) else Kind.TEXT
    try:
        document = await read_document(data, kind, TEXT_BYTES)
    except UnreadableFile as error:
        is_card = kind is Kind.CHARACTER_CARD and error.problem is FileProblem.EMPTY
        raise NotImported("import_no_card" if is_card else "import_unreadable") from error
    if document.cut:
        raise NotImported("import_unreadable")
    is_json = kind is Kind.CHARACTER_CARD or document.text.lstrip().startswith("{")
    if is_json:
        return _of_card(document.text)
    text = document.text.strip()
    if not text:
        raise NotImported("import_unreadable")
    return PersonaDraft(_slug(PurePosixPath(file_name).stem), text)


def free_name(name: str, taken: Container[str]) -> str:
    """The name, or the first of name-2, name-3 and so on that is free."""
    tried = (name if n == 1 else f"{name[: NAME_LENGTH - 4]}-{n}" for n in count(1))
    return next(one for one in tried if one not in taken)


def _of_card(text: str) -> PersonaDraft:
    """A card of version 1, 2 or 3."""
    try:
        card = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotImported("import_unreadable") from error
    if not isinstance(card, dict):
        raise NotImported("import_no_card")
    data = card.get("data") if card.get("spec") in _SPECS else card
    if not isinstance(data, dict) or not _field(data, "name"):
        raise NotImported("import_no_card")
    called = _field(data, "nickname") or _field(data, "name")

    def part(key: str, heading: str = "") -> str:
        said = _filled_in(_field(data, key), called).strip()
        return f"{heading}{said}" if said else ""

    system = part("system_prompt") or f"You are {called}. Stay in character."
    about = (
        part("description"),
        part("personality", "Personality: "),
        part("scenario", "Scenario: "),
    )
    after = part("post_history_instructions")
    first, examples = part("first_mes"), part("mes_example").replace("<START>", "---")
    manner = "\n\n".join(filter(None, (first, examples)))
    manner = f"How {called} speaks, for example:\n{manner}" if manner else ""
    whole = "\n\n".join(filter(None, (system, *about, manner, after)))
    short = "\n\n".join(filter(None, (system, *about, after)))
    if not any((*about, manner, part("system_prompt"))):
        raise NotImported("import_no_card")
    is_long = len(whole) > PROMPT_LENGTH
    notes = " ".join((part("creator_notes") or part("description")).split())
    others = any(data.get(key) for key in ("character_book", "alternate_greetings"))
    return PersonaDraft(
        _slug(_field(data, "name")),
        short if is_long else whole,
        notes if len(notes) <= DESCRIPTION_LENGTH else f"{notes[: DESCRIPTION_LENGTH - 1]}…",
        left_out=others or (is_long and bool(manner)),
    )


def _field(data: Mapping[str, Any], key: str) -> str:
    """A text of the card; cards by hand have null and numbers too."""
    value = data.get(key)
    return value.strip() if isinstance(value, str) else ""


def _filled_in(text: str, called: str) -> str:
    """The text with names in place of `{{char}}` and `{{user}}`, and without comments."""

    def name(macro: re.Match[str]) -> str:
        match (macro[1] or macro[2]).lower():
            case "char" | "bot":
                return called
            case "user":
                return USER
            case _:
                return ""  # {{original}} is a prompt of another program's

    return _MACRO.sub(name, text).replace("\r\n", "\n")


def _slug(name: str) -> str:
    """A name as personas may have: a-z, 0-9, - and _."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-_")[:NAME_LENGTH].strip("-_") or "imported"
