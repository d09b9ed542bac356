"""What of the documentation is made from the code and the figures is up to date: `make docs`."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from docs.generate import plots, settings

ROOT = Path(__file__).parents[1]


def test_the_page_of_settings_is_current() -> None:
    assert settings.PAGE.read_text(encoding="utf-8") == settings.page(), "run make docs"


def test_every_setting_says_what_it_is() -> None:
    """By a comment in config/bot.yaml, or by its docstring in the schema."""
    for keys in settings.settings().values():
        for setting in keys:
            assert setting.description, setting.key


def test_a_setting_that_a_page_names_exists() -> None:
    known = {setting.key for keys in settings.settings().values() for setting in keys}
    known = {".".join(key.split(".")[:n]) for key in known for n in range(1, 7)}
    sections = {key.partition(".")[0] for key in known}
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        text = page.read_text(encoding="utf-8")
        for key in re.findall(r"`([a-z]+(?:\.\w+)+)(?::[^`]*)?`", text):
            if key.endswith(".yaml"):  # a file whose name begins like a section
                continue
            assert key in known or key.partition(".")[0] not in sections, f"{page.name}: {key}"


def test_the_plots_are_drawn_from_the_figures_of_today() -> None:
    for file, drawing in plots.plots().items():
        ElementTree.fromstring(drawing)
        assert file.read_text(encoding="utf-8") == drawing, "run make docs"


def test_what_the_cards_can_do_is_computed_from_their_bandwidth() -> None:
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.*?) \| \d+ GB \| (\d+) \| (\d+) \| (\w+)", page, re.MULTILINE)
    assert len(rows) > 10
    for card, bandwidth, speed, how in rows:
        gigabytes, beside = (3.76, 0.47) if card == "T4" else (2.62, 0.497)  # T4: exact weights
        milliseconds = gigabytes / (int(bandwidth) * 0.92) * 1e3 + beside
        assert abs(int(speed) - 1e3 / milliseconds) <= 1, card
        assert (how == "measured") == (card == "H200")


@pytest.mark.slow
def test_the_site_builds_and_no_link_in_it_leads_nowhere(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ("index", "settings", "contributing", "privacy"):
        page = (tmp_path / f"{name}.html").read_text(encoding="utf-8")
        assert "fonts.googleapis.com" not in page
    assert (tmp_path / "files" / "config" / "bot.yaml").exists()
