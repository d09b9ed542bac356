from pathlib import Path

import pytest
import torch

from bot.inference.engines import EngineError, load_engine
from bot.inference.engines.gptoss.from_checkpoint import check_room
from bot.inference.engines.gptoss.requirements import obstacle
from tests.inference.engines.gptoss.tiny import CPU, Tiny
from tests.inference.engines.tiny_models import save_gpt_oss

CARD = torch.device("cuda", 0)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch):
    """A card of a given compute capability, as torch would describe it."""

    def describe(*capability: int) -> None:
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Some Card")

    return describe


def test_a_t4_gets_this_engine_where_it_was_asked_for(tiny: Tiny, card) -> None:
    card(7, 5)
    assert obstacle(tiny.folder, CARD, "gptoss") is None
    assert obstacle(tiny.folder, CARD, "auto") == (
        "Some Card has compute capability 7.5, and it needs 8.0"
    )


def test_an_older_card_is_named_with_what_it_has_and_what_is_needed(tiny: Tiny, card) -> None:
    card(7, 0)
    assert obstacle(tiny.folder, CARD) == ("Some Card has compute capability 7.0, and it needs 7.5")


def test_amds_cards_are_refused_by_name(tiny: Tiny, card, monkeypatch: pytest.MonkeyPatch) -> None:
    card(9, 4)
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert obstacle(tiny.folder, CARD) == (
        "it needs a CUDA card, and this torch is built for AMD's ROCm"
    )


def test_a_card_that_can_not_hold_the_weights_is_told_of_another_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(13 * 2**30)  # takes no room on the disk
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (11 * 2**30, 12 * 2**30))
    with pytest.raises(EngineError) as refusal:
        check_room(tmp_path, CARD)
    assert str(refusal.value) == (
        f"{tmp_path.name} has 13.0 GiB of weights, and cuda:0 has 12.0: set inference.url to a"
        " server that shares a model between card and memory (llama.cpp's llama-server, Ollama)"
    )


def test_without_triton_the_way_out_is_to_install_it(
    tiny: Tiny, card, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(9, 0)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install triton" in str(obstacle(tiny.folder, CARD))


def test_weights_that_are_not_mxfp4_are_left_to_transformers(tmp_path: Path, card) -> None:
    card(9, 0)
    problem = obstacle(save_gpt_oss(tmp_path), CARD)
    assert problem == f"{tmp_path.name} isn't gpt-oss with MXFP4 weights"


def test_a_cpu_is_not_enough_and_an_engine_asked_for_is_refused_in_one_line(tiny: Tiny) -> None:
    assert obstacle(tiny.folder, CPU) == "it needs a CUDA card, and the device is cpu"
    expected = r"^inference.engine is gptoss, but it needs a CUDA card.*set inference.engine: auto$"
    with pytest.raises(EngineError, match=expected):
        load_engine(tiny.folder, device="cpu", engine="gptoss", progress=lambda *_: None)


def test_where_it_can_not_run_mxfp4_weights_are_still_never_expanded(tiny: Tiny) -> None:
    with pytest.raises(EngineError, match=r"MXFP4 weights .* threefold on a CPU"):
        load_engine(tiny.folder, device="cpu", progress=lambda *_: None)


def test_transformers_asked_for_is_what_runs(tmp_path: Path) -> None:
    from bot.inference.engines.transformers import TransformersModel

    folder = save_gpt_oss(tmp_path)
    engine = load_engine(folder, device="cpu", engine="transformers", progress=lambda *_: None)
    assert isinstance(engine.model, TransformersModel)
