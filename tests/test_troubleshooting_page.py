"""docs/troubleshooting.md and the install pages quote what the program says."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ("troubleshooting.md", "install-discord.md", "install-slack.md")
VALUES = r"…|\d+|gpt-oss-20b|Discord|Slack|(?:slack|discord|status)\.\w+"
"""What stands in braces in the program."""
NOT_OURS = {"No matching distribution found for torch", "not_in_channel", "channel_not_found"}


def said() -> str:
    """All that the program may say: its sources, with texts over several lines joined."""
    files = [*(ROOT / "bot").rglob("*.py"), *(ROOT / "config").rglob("*.yaml"), ROOT / "Makefile"]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    text = re.sub(r'"\s*\\?\n?\s*f?"', "", text)
    return re.sub(r"\{[^{}]*\}|\s+", " ", text)


SAID = said()


def quoted() -> list[str]:
    """What stands in quotation marks or as code in the first column of the pages' tables."""
    found: list[str] = []
    for page in PAGES:
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        table = text[text.index("| What you see |") :]
        for cell in re.findall(r"^\| (.*?) \|", table, re.MULTILINE):
            found += re.findall(r"[`\"]([^`\"]+)[`\"]", cell)
    return sorted(set(found) - NOT_OURS)


@pytest.mark.parametrize("quote", quoted())
def test_what_a_page_says_that_you_see_is_what_the_program_says(quote: str) -> None:
    for part in re.split(VALUES, quote):
        words = part.strip(" .:")
        assert words in SAID, words
