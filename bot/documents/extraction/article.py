"""The text of a web page without what stands around it, as Markdown after a line with its title."""

from collections.abc import Iterator

import trafilatura

from bot.documents.problems import FileProblem, UnreadableFile


def extract(data: bytes) -> Iterator[str]:
    """Raises UnreadableFile where there is no such text."""
    tree = trafilatura.load_html(data)
    if tree is None:
        raise UnreadableFile(FileProblem.EMPTY)
    title = " ".join((tree.findtext(".//title") or "").split())
    text = trafilatura.extract(
        tree, output_format="markdown", include_links=True, include_tables=True
    )
    if not text:
        raise UnreadableFile(FileProblem.EMPTY)
    yield f"{title}\n"
    yield text
