"""What a model needs of a machine is said before anything is fetched."""

import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.config import InferenceConfig
from bot.inference.models.machine import Card, Machine, find_machine
from bot.inference.models.requirements import Finding, requirements, unmet

GB = 10**9
GOOD = Machine(
    device="cuda:0",
    torch="torch 2.13.0 (CUDA 13.0)",
    card=Card("NVIDIA L4", (8, 9), 23 * GB, 24 * GB),
    threads=8,
    memory=64 * GB,
    triton=True,
    compiler="/usr/bin/gcc",
    headers=True,
)
ON_CPU = replace(GOOD, device="cpu", torch="torch 2.13.0+cpu (CPU only)", card=None)


def config(tmp_path: Path, model: str = "gpt-oss-20b", **values: Any) -> InferenceConfig:
    return InferenceConfig(model=model, models_dir=tmp_path / "models", **values)


@pytest.fixture(autouse=True)
def _an_empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


def found(config: InferenceConfig, machine: Machine) -> dict[str, Finding]:
    return {finding.subject: finding for finding in requirements(config, machine)}


def test_a_machine_that_holds_the_model_is_fine_and_tells_the_context_that_fits(
    tmp_path: Path,
) -> None:
    findings = found(config(tmp_path), GOOD)
    assert all(finding.ok for finding in findings.values()), findings
    # (23 GB - 12.7 GB of weights - 1 GB) / 49,152 bytes a token
    assert "fits with 190,022 tokens of context" in findings["memory"].detail
    exact = found(config(tmp_path, weights="exact"), GOOD)
    assert "fits with 166,829 tokens of context" in exact["memory"].detail
    assert "NVIDIA L4" in findings["device"].detail
    assert unmet(config(tmp_path), GOOD) is None


@pytest.mark.parametrize(
    ("change", "subject", "parts"),
    [
        ({"card": None}, "card", ["needs a CUDA card", "inference.url", "llama.cpp", "Ollama"]),
        ({"rocm": True, "torch": "torch 2.13 (ROCm 7)"}, "card", ["ROCm 7", "vLLM", "smollm2"]),
        ({"card": Card("Tesla P40", (6, 1), 23 * GB, 24 * GB)}, "card", ["6.1", "needs 7.5"]),
        (
            {"card": Card("RTX 4060", (8, 9), 7 * GB, 8 * GB)},
            "memory",
            ["of a card's memory", "RTX 4060 has 8.0 GB", "inference.url"],
        ),
        ({"triton": False}, "triton", ["Triton, which is not installed"]),
        ({"compiler": ""}, "compiler", ["no C compiler", "apt install gcc"]),
        ({"headers": False}, "compiler", ["no Python.h", "apt install python3-dev"]),
        ({"problem": "torch is not installed"}, "device", ["torch is not installed"]),
    ],
    ids=["cpu", "rocm", "old", "small", "triton", "compiler", "headers", "torch"],
)
def test_what_keeps_gpt_oss_from_running_is_one_line(
    tmp_path: Path, change: dict[str, Any], subject: str, parts: list[str]
) -> None:
    machine = replace(GOOD, **change)
    problem = unmet(config(tmp_path), machine)
    assert problem == found(config(tmp_path), machine)[subject].detail
    assert "\n" not in problem
    for part in parts:
        assert part in problem
    assert unmet(config(tmp_path, "openai/gpt-oss-20b"), machine) is not None


def test_a_t4_is_enough_for_the_engine_of_our_own(tmp_path: Path) -> None:
    turing = replace(GOOD, card=Card("Tesla T4", (7, 5), 15_700_000_000, 16 * GB))
    assert unmet(config(tmp_path, engine="gptoss"), turing) is None


def test_a_card_that_is_too_small_is_told_of_another_server_and_not_to_make_room(
    tmp_path: Path,
) -> None:
    small = replace(GOOD, card=Card("RTX 4070", (8, 9), 11_500_000_000, 12 * GB))
    problem = unmet(config(tmp_path), small)
    assert problem is not None
    assert "RTX 4070 has 12.0 GB: set inference.url to a server" in problem
    assert "end what else" not in problem
    assert "context" not in problem


@pytest.mark.parametrize(("processor", "runs"), [("x86_64", False), ("arm64", True)])
def test_a_mac_with_an_intel_processor_is_told_that_there_is_no_torch_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processor: str, runs: bool
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: processor)
    problem = unmet(config(tmp_path, "smollm2-135m", device="cpu"))
    assert (problem is None) == runs
    assert runs or (problem and "Macs with Intel processors: set inference.url" in problem)


def test_a_model_without_needs_runs_on_a_cpu_without_tools(tmp_path: Path) -> None:
    bare = replace(ON_CPU, triton=False, compiler="", headers=False)
    assert unmet(config(tmp_path, "smollm2-135m"), bare) is None
    assert unmet(config(tmp_path, "owner/name"), bare) is None


def test_a_machine_with_too_little_memory_is_told(tmp_path: Path) -> None:
    problem = unmet(config(tmp_path, "qwen3-0.6b"), replace(ON_CPU, memory=GB))
    assert problem == (
        "qwen3-0.6b needs 1.5 GB, this machine has 1.0 GB: set a smaller inference.model"
    )


def test_a_full_disk_is_told_with_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 5 * GB}))
    problem = unmet(config(tmp_path), GOOD)
    assert problem == (
        f"gpt-oss-20b needs 13.8 GB in {tmp_path / 'hub'}, and 5.0 GB are free: make room, or name"
        " another folder with inference.models_dir or HF_HOME"
    )


def test_a_name_that_no_model_has_is_told(tmp_path: Path) -> None:
    problem = unmet(config(tmp_path, "gpt-os-20b"), GOOD)
    assert problem is not None
    assert "did you mean gpt-oss-20b?" in problem


def test_this_machine_is_described() -> None:
    pytest.importorskip("torch")
    machine = find_machine("cpu")
    assert (machine.device, machine.problem, machine.card) == ("cpu", "", None)
    assert machine.torch.startswith("torch 2.")
    assert machine.memory > 0
    assert "sees no GPU" in find_machine("cuda").problem or find_machine("cuda").card
