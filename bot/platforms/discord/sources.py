"""The pages that an answer is made from, as links that show no preview."""

import re

from bot.conversation.reply import Reply
from bot.conversation.texts import Texts

MOST = 5
TITLE_LENGTH = 50
ADDRESS_LENGTH = 200
_SIGNS = re.compile(r"[\[\]()<>`*_~|\\]")


def sources_line(reply: Reply, texts: Texts) -> str:
    """A line of the bot's own; "" for none."""
    links = [
        f"[{number}. {_plain(title)}](<{url}>)"
        for number, (title, url) in enumerate(reply.sources[:MOST], 1)
        if len(url) <= ADDRESS_LENGTH and ">" not in url
    ]
    return texts("sources", links=" · ".join(links)) if links else ""


def _plain(title: str) -> str:
    """A page's own title, in which nothing is Markdown."""
    words = " ".join(_SIGNS.sub(" ", title.replace("://", " ")).split())
    return words if len(words) <= TITLE_LENGTH else f"{words[:TITLE_LENGTH]}…"
