"""`make chat` sets up its virtual environment, or says in one line why it can't."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.waiting import HANG_SECONDS

ROOT = Path(__file__).parents[1]
GOOD = sys.executable
TOO_OLD = "#!/bin/sh\nexit 1\n"
WITHOUT_VENV = """#!/bin/sh
if [ "$2" = venv ]; then mkdir -p .venv/bin && touch .venv/bin/python && exit 1; fi
"""

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="there is no make")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "Makefile", tmp_path)
    return tmp_path


def make(clone: Path, python: str) -> subprocess.CompletedProcess[str]:
    if python.startswith("#!"):
        script = clone / "python"
        script.write_text(python, encoding="utf-8")
        script.chmod(0o755)
        python = str(script)
    return subprocess.run(
        ["make", "--no-print-directory", ".venv/made", f"PYTHON={python}"],
        cwd=clone,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )


def test_contributors_changes_are_tried_by_targets_that_exist() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    runs = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    targets = {word for run in runs if run.startswith("make ") for word in run.split()[1:-1]}
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert targets == {"lint", "test", "docs", "test-slow", "kernels"}
    assert targets <= known


def test_a_python_that_is_too_old_is_named_with_what_is_needed(clone: Path) -> None:
    done = make(clone, TOO_OLD)
    assert done.returncode
    line, _end_of_make = done.stderr.splitlines()
    assert line.startswith("gptoss-bot needs Python 3.11 or newer, and none is among:")
    assert not (clone / ".venv").exists()


def test_a_mac_with_an_intel_processor_is_told_before_anything_is_installed(clone: Path) -> None:
    programs = clone / "programs"
    programs.mkdir()
    (programs / "uname").write_text(
        '#!/bin/sh\n[ "$1" = -s ] && echo Darwin || echo x86_64\n', encoding="utf-8"
    )
    (programs / "uname").chmod(0o755)
    (clone / ".venv").mkdir()
    (clone / ".venv" / "made").touch()
    shutil.copy(ROOT / "pyproject.toml", clone)
    done = subprocess.run(
        ["make", "--no-print-directory", "chat"],
        cwd=clone,
        env=os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    assert done.returncode
    line, _end_of_make = done.stderr.splitlines()
    assert "no builds for Macs with Intel processors" in line


def test_a_python_without_venv_says_what_to_install_and_a_half_made_one_is_made_again(
    clone: Path,
) -> None:
    done = make(clone, WITHOUT_VENV)
    assert done.returncode
    assert "apt install python3-venv" in done.stderr
    assert not (clone / ".venv").exists()
    (clone / ".venv" / "bin").mkdir(parents=True)  # as an earlier version left it
    (clone / ".venv" / "bin" / "python").touch()
    done = make(clone, GOOD)
    assert done.returncode == 0, done.stderr
    assert (clone / ".venv" / "bin" / "pip").exists()
    (clone / ".venv" / "made").unlink()
    (clone / ".venv" / "kept").touch()
    make(clone, TOO_OLD)  # what works is used, whatever made it
    assert (clone / ".venv" / "made").exists()
    assert (clone / ".venv" / "kept").exists()
