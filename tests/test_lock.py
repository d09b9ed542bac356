"""uv.lock pins what pyproject.toml asks for, each file with its hash."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.waiting import HANG_SECONDS

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")


def check(project: Path) -> subprocess.CompletedProcess[str]:
    if not UV.exists():
        pytest.skip("uv is not installed")
    cache = str(project / ".cache")  # an empty one: nothing is asked of it where all is in order
    return subprocess.run(
        [UV, "lock", "--check", "--offline", "--no-config", "--cache-dir", cache],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_the_lock_agrees_with_the_project(project: Path) -> None:
    result = check(project)
    assert result.returncode == 0, result.stderr


def test_a_changed_requirement_is_noticed(project: Path) -> None:
    file = project / "pyproject.toml"
    file.write_text(file.read_text("utf-8").replace('"tenacity>=', '"tenacity>=1.'), "utf-8")
    assert check(project).returncode != 0


def test_every_file_has_a_hash_and_comes_from_pypi() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    for package in lock["package"]:
        if "registry" not in package["source"]:
            assert package["name"] == "gptoss-bot"
            continue
        files = [*package.get("wheels", ()), *filter(None, [package.get("sdist")])]
        assert files
        for file in files:
            assert file["hash"].startswith("sha256:")
            assert urlsplit(file["url"]).hostname == "files.pythonhosted.org"
