"""A container may run as a number that has neither a name nor a home."""

import getpass
import os
import pwd
from pathlib import Path

import pytest

from bot.home import ensure_home


def test_a_user_without_a_name_gets_a_home_where_the_database_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(os, "environ", {"PATH": os.environ["PATH"]})
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.chdir(tmp_path)
    ensure_home()
    assert Path.home() == tmp_path / "data"
    assert getpass.getuser() == "bot"
