"""Model files that can't be read are one clear line, not a traceback."""

import os
from pathlib import Path
from threading import Event

import pytest

pytest.importorskip("transformers")

from bot.config import InferenceConfig
from bot.inference.engines import EngineError
from bot.inference.models.sources import ModelUnavailable, Progress
from bot.inference.server.model import load_model
from tests.inference.tiny_model import save_tiny_model
from tests.waiting import HANG_SECONDS


@pytest.mark.parametrize("damage", ["cut short", "nonsense"])
@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "config.json"])
def test_a_damaged_file_is_one_line_that_names_the_model(
    name: str, damage: str, tmp_path: Path
) -> None:
    model = tmp_path / "tiny"
    save_tiny_model(model)
    file = model / name
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] if damage == "cut short" else b"nonsense" * 1000)
    with pytest.raises(ModelUnavailable) as refusal:
        load_model(InferenceConfig(model=str(model)), lambda stage, share: None)
    assert str(model) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("stage", "error"), [("loading", ModelUnavailable), ("warming up", EngineError)]
)
def test_only_what_fails_before_the_first_step_is_blamed_on_the_files(
    stage: str, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compiler that is missing at the first step is no reason to fetch the model again."""

    def load_engine(folder: Path, *, progress: Progress, **_: object) -> None:
        progress(stage, 0.0)
        raise FileNotFoundError("no such compiler")

    save_tiny_model(tmp_path / "tiny")
    monkeypatch.setattr("bot.inference.server.model.load_engine", load_engine)
    with pytest.raises(error, match="no such compiler") as refusal:
        load_model(InferenceConfig(model=str(tmp_path / "tiny")), lambda stage, share: None)
    assert ("delete the folder" in str(refusal.value)) is (stage == "loading")


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system has no read-ahead")
def test_weights_are_read_ahead_while_the_engine_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_for: list[Path] = []
    begun = Event()

    def fadvise(file: int, offset: int, length: int, advice: int) -> None:
        assert (offset, length, advice) == (0, 0, os.POSIX_FADV_WILLNEED)  # the whole file
        asked_for.extend(path for path in weights if os.path.samestat(path.stat(), os.fstat(file)))
        if asked_for == weights:
            begun.set()

    def load_engine(folder: Path, **_: object) -> None:
        assert begun.wait(HANG_SECONDS)
        raise EngineError("far enough")

    model = tmp_path / "tiny"
    save_tiny_model(model)
    (model / "more.safetensors").write_bytes(b"")
    weights = sorted(model.glob("*.safetensors"))
    monkeypatch.setattr(os, "posix_fadvise", fadvise)
    monkeypatch.setattr("bot.inference.server.model.load_engine", load_engine)
    with pytest.raises(EngineError, match="far enough"):
        load_model(InferenceConfig(model=str(model)), lambda stage, share: None)
    assert asked_for == weights


def test_what_the_machine_lacks_is_said_before_anything_is_fetched() -> None:
    with pytest.raises(EngineError, match="gpt-oss-20b needs a CUDA card"):
        load_model(InferenceConfig(model="gpt-oss-20b", device="cpu"), _not_reached)


def _not_reached(stage: str, share: float) -> None:
    raise AssertionError(stage)
