import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from bot.inference.engines import EngineError, load_engine  # noqa: E402
from bot.inference.engines.transformers import TransformersModel  # noqa: E402
from tests.inference.engines.tiny_models import save_llama  # noqa: E402


def load(folder: Path, **options):
    return load_engine(folder, **options, progress=lambda stage, share: None)


def test_a_plain_checkpoint_runs_on_transformers_with_the_slots_and_context_asked_for(
    tmp_path: Path,
) -> None:
    engine = load(save_llama(tmp_path), device="cpu", slots=3, context=100)
    assert isinstance(engine.model, TransformersModel)
    assert (engine.slots, engine.context) == (3, 100)


@pytest.mark.parametrize("device", ["gpu", "meta", "cuda:x"])
def test_a_device_that_does_not_exist_is_answered_with_those_that_do(
    tmp_path: Path, device: str
) -> None:
    with pytest.raises(
        EngineError, match=f"unknown device '{device}': allowed are auto, cpu, cuda"
    ):
        load(tmp_path, device=device)


def test_a_gpu_that_is_not_there_is_named(tmp_path: Path) -> None:
    device = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(EngineError, match=f"{device}"):
        load(tmp_path, device=device)


def test_mxfp4_weights_are_refused_where_they_would_grow(tmp_path: Path) -> None:
    config = {"model_type": "gpt_oss", "quantization_config": {"quant_method": "mxfp4"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(EngineError, match=r"MXFP4 weights .* threefold on a CPU; use a CUDA GPU"):
        load(tmp_path, device="cpu")


def test_a_checkpoint_that_transformers_does_not_know_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "perceptron"}')
    with pytest.raises(EngineError, match=r"^transformers can't load .*`perceptron`.*$"):
        load(tmp_path, device="cpu")


def test_a_damaged_weights_file_is_one_line(tmp_path: Path) -> None:
    save_llama(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\x10\x00")
    with pytest.raises(EngineError, match=r"^transformers can't load .*$"):
        load(tmp_path, device="cpu")
