"""What was used in the last days, by server and by persona."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.conversation.texts import Texts
from bot.status.rendering import number
from bot.status.servers import Servers
from bot.storage import AnswerCounts

MOST_ROWS = 20


@dataclass(frozen=True)
class UseEntry:
    name: str
    values: Sequence[str]


@dataclass(frozen=True)
class UseTable:
    """`of` is what the rows are about."""

    title: str
    of: str
    columns: Sequence[str]
    rows: Sequence[UseEntry]


Used = Mapping[tuple[str, str, str], AnswerCounts]
"""By platform, server and persona."""


def use_tables(used: Used, servers: Servers, texts: Texts) -> list[UseTable]:
    """By server and by persona, what was used most first."""

    def persona(key: tuple[str, str, str]) -> str:
        return key[2] or texts("page_channel_prompt")

    return [
        _table("server", used, lambda key: servers.name(key[0], key[1]), texts),
        _table("persona", used, persona, texts),
    ]


def _table(
    of: str, used: Used, name_of: Callable[[tuple[str, str, str]], str], texts: Texts
) -> UseTable:
    sums: dict[str, AnswerCounts] = {}
    for key, counts in used.items():
        sums.setdefault(name_of(key), AnswerCounts()).add(counts)
    most_first = sorted(sums.items(), key=lambda item: -item[1].completion_tokens)
    return UseTable(
        texts(f"page_by_{of}"),
        texts(f"page_{of}"),
        [texts(f"page_{column}") for column in ("answered", "failed", "read", "written")],
        [UseEntry(name, _values(counts, texts)) for name, counts in most_first[:MOST_ROWS]],
    )


def _values(counts: AnswerCounts, texts: Texts) -> list[str]:
    numbers = (counts.answers, counts.failed, counts.prompt_tokens, counts.completion_tokens)
    return [number(value, texts) for value in numbers]
