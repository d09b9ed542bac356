"""`python -m bot.documents KIND`: a file on stdin becomes text on stdout, within limits.

The exit status is 0, or that of `problems.FileProblem`.
"""

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator

from bot.documents.kinds import Kind
from bot.documents.limits import set_limits
from bot.documents.problems import FileProblem, UnreadableFile


def main() -> int:
    set_limits()
    logging.disable()  # libraries have much to say about broken files, and nobody to hear it
    warnings.simplefilter("ignore")
    try:
        data = sys.stdin.buffer.read()
        empty = True
        for part in _extractor(Kind(sys.argv[1]))(data):
            empty = empty and not part.strip()
            sys.stdout.buffer.write(part.encode("utf-8", "replace"))
            sys.stdout.buffer.flush()  # what is there by the end of the time is shown
    except UnreadableFile as error:
        return error.problem
    except MemoryError:
        return FileProblem.TOO_BIG
    except BrokenPipeError:  # enough was read
        return 0
    except Exception:
        return FileProblem.BROKEN
    return FileProblem.EMPTY if empty else 0


def _extractor(kind: Kind) -> Callable[[bytes], Iterator[str]]:
    match kind:
        case Kind.PDF:
            from bot.documents.extraction.pdf import extract
        case Kind.WORD:
            from bot.documents.extraction.word import extract
        case Kind.SHEETS:
            from bot.documents.extraction.sheets import extract
        case Kind.WEB_PAGE:
            from bot.documents.extraction.web_page import extract
        case Kind.ARTICLE:
            from bot.documents.extraction.article import extract
        case Kind.CHARACTER_CARD:
            from bot.documents.extraction.character_card import extract
        case _:
            from bot.documents.extraction.encodings import extract
    return extract


if __name__ == "__main__":
    os._exit(main())  # at once: nothing that a file left behind runs any more
