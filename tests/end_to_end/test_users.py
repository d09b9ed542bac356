"""Users who may not read something, or whom the machine has no name for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bot.exit_code import ExitCode
from tests.command import environment
from tests.waiting import HANG_SECONDS

WITHOUT_ROOTS_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
WITHOUT_A_NAME = ["unshare", "--user", "--map-user=12345"]


def bot(folder: Path, *arguments: str, user: list[str], **variables: str) -> tuple[str, int]:
    """What `bot` says to `user` in `folder`, and its exit code."""
    nameless = environment({})
    for name in ("HOME", "USER", "LOGNAME"):
        nameless.pop(name, None)
    done = subprocess.run(
        [*user, sys.executable, "-m", "bot", *arguments],
        cwd=folder,
        env=nameless | variables,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    return done.stdout + done.stderr, done.returncode


def require(command: list[str]) -> None:
    if not shutil.which(command[0]) or subprocess.run([*command, "true"]).returncode:
        pytest.skip(f"{command[0]} can't be used here")


@pytest.mark.parametrize(
    ("unreadable", "problem"),
    [
        (".env", ".env: can't be read: Permission denied"),
        ("config", "config/bot.yaml: can't be read: Permission denied"),
        ("config/bot.yaml", "config/bot.yaml: can't be read: Permission denied"),
        ("config/personas", "config/personas: can't be read: Permission denied"),
        ("config/personas/a.yaml", "config/personas/a.yaml: can't be read: Permission denied"),
    ],
)
def test_what_may_not_be_read_is_one_line(tmp_path: Path, unreadable: str, problem: str) -> None:
    as_user = WITHOUT_ROOTS_RIGHTS if os.getuid() == 0 else []
    if as_user:
        require(as_user)
    (tmp_path / "config" / "personas").mkdir(parents=True)
    for file in (".env", "config/bot.yaml"):
        (tmp_path / file).write_text("", encoding="utf-8")
    (tmp_path / "config/personas/a.yaml").write_text("Arr.", encoding="utf-8")
    (tmp_path / unreadable).chmod(0)
    try:
        output, code = bot(tmp_path, "check", user=as_user)
    finally:
        (tmp_path / unreadable).chmod(0o700)
    assert output.splitlines() == [problem]
    assert code == ExitCode.UNUSABLE


def test_a_user_without_a_name_and_a_home_can_use_the_bot(tmp_path: Path) -> None:
    require(WITHOUT_A_NAME)
    output, code = bot(tmp_path, "check", user=WITHOUT_A_NAME, INFERENCE_DEVICE="cpu")
    assert code == ExitCode.OK, output
    output, code = bot(tmp_path, "models", "list", user=WITHOUT_A_NAME)
    assert code == ExitCode.OK, output
