"""What a platform shows of Markdown, and what it counts."""

from collections.abc import Sequence
from typing import Protocol

from bot.platforms.markdown.allowance import Allowance
from bot.platforms.markdown.tables import Table

Piece = str | Table
"""What a message is made of: Markdown, and tables where a platform has its own."""


class Drawn(Protocol):
    """A table as a platform shows it."""

    @property
    def size(self) -> int:
        """At least its size as it is sent; never less with more rows or longer ones.

        More than any room if it has more rows than the platform takes.
        """

    def with_rows(self, rows: Sequence[tuple[str, ...]]) -> "Drawn":
        """The table with further rows."""

    def piece(self, allowance: Allowance) -> Piece:
        """What is sent."""


class Style(Protocol):
    """How a platform counts and shows Markdown. `tables`: whether it draws them."""

    tables: bool

    def size(self, text: str, begin: int, end: int) -> int:
        """The characters of `text[begin:end]` as they are sent; at least one for each."""

    def prose(self, text: str, allowance: Allowance, *, continued: bool) -> str:
        """Lines outside code and tables, no longer than they were.

        allowance: of the message.
        continued: whether the first one was begun in the message before.
        """

    def draw(self, table: Table, *, first: bool) -> Drawn | None:
        """A table without rows, the message's first or not; None to show it as it is written."""


class AsWritten:
    """Markdown as it is, counted in code points."""

    tables = False

    def size(self, text: str, begin: int, end: int) -> int:
        return end - begin

    def prose(self, text: str, allowance: Allowance, *, continued: bool) -> str:
        return text

    def draw(self, table: Table, *, first: bool) -> Drawn | None:
        return None
