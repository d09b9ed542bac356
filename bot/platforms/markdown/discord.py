"""Markdown as Discord shows it.

It has no tables, no formulas, no tasks, and no headings below the third level:
https://support.discord.com/hc/en-us/articles/210298617
"""

from bot.platforms.markdown.allowance import Allowance
from bot.platforms.markdown.drawing import Drawing
from bot.platforms.markdown.rewriting import (
    with_bold_headings,
    with_formulas,
    with_quiet_links,
    with_tasks,
)
from bot.platforms.markdown.style import Drawn
from bot.platforms.markdown.tables import Table


class DiscordStyle:
    """See Style. Characters are code points (discord/discord-api-docs issue 1315).

    Links stand in <…>: cards would be larger than the answer, and fetch what they show. The flag
    SUPPRESS_EMBEDS hides the embed with the reasoning too, so it is set only where none is shown.
    """

    tables = True

    def size(self, text: str, begin: int, end: int) -> int:
        return end - begin + len("<>") * text.count("://", begin, end)

    def prose(self, text: str, allowance: Allowance, *, continued: bool) -> str:
        text = with_bold_headings(text, continued=continued)
        return with_quiet_links(with_formulas(with_tasks(text, continued=continued), allowance))

    def draw(self, table: Table, *, first: bool) -> Drawn | None:
        return Drawing(table, with_quiet_links)
