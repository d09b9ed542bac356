"""What this machine has for a model: found out without loading one."""

import ctypes
import importlib.util
import os
import platform
import shutil
import sysconfig
import warnings
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Card:
    """A GPU as torch sees it; sizes are in bytes."""

    name: str
    capability: tuple[int, int]
    free: int
    total: int


@dataclass(frozen=True)
class Machine:
    """`problem` is why the asked device can't be used; then the rest says little."""

    device: str
    """`cpu`, or `cuda:0` and so on."""
    torch: str = ""
    """Its version and what it was built for, such as `2.13.0, CUDA 13.0`."""
    problem: str = ""
    card: Card | None = None
    rocm: bool = False
    threads: int = 1
    memory: int = 0
    """Of the machine, in bytes; 0 where it isn't known."""
    triton: bool = False
    compiler: str = ""
    """The C compiler's path; empty without one."""
    headers: bool = False
    """Whether Python.h is there."""


def lacking_libraries() -> str:
    """Why no model at all can run here, in one line; empty where one may."""
    if platform.system() == "Darwin" and platform.machine() == "x86_64":
        return (
            "models run with torch, which has no builds for Macs with Intel processors: set"
            " inference.url to a server that has the model (llama.cpp's llama-server, Ollama,"
            " vLLM); on Apple silicon, use a Python for arm64"
        )
    if (
        importlib.util.find_spec("torch") is None
        or importlib.util.find_spec("transformers") is None
    ):
        return (
            "models run with torch and transformers, which are not installed:"
            " pip install '.[inference]' in gptoss-bot's folder, or set inference.url to another"
            " server"
        )
    return ""


def find_machine(device: str) -> Machine:
    """What there is for `device`: auto, cpu, cuda or cuda:N."""
    if problem := lacking_libraries():
        return Machine(device, problem=problem)
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a driver that is too old: said below
        usable = torch.cuda.is_available()
    built_for = torch.version.cuda and f"CUDA {torch.version.cuda}"
    built_for = built_for or (torch.version.hip and f"ROCm {torch.version.hip}") or "CPU only"
    found = Machine(
        device="cpu",
        torch=f"torch {torch.__version__} ({built_for})",
        rocm=torch.version.hip is not None,
        threads=torch.get_num_threads(),
        memory=_memory(),
        triton=importlib.util.find_spec("triton") is not None,
        compiler=_compiler(),
        headers=Path(sysconfig.get_path("include"), "Python.h").is_file(),
    )
    if device == "cpu":
        return found
    if not usable:
        reason = _why_no_card(torch.__version__, torch.version.cuda)
        if device == "auto" and not reason:
            return found
        return _with(
            found, device, reason or f"{found.torch} sees no GPU; set inference.device: cpu"
        )
    index = torch.device("cuda" if device == "auto" else device).index or 0
    if index >= (count := torch.cuda.device_count()):
        return _with(found, device, f"{device}: this machine has cuda:0 to cuda:{count - 1}")
    properties = torch.cuda.get_device_properties(index)
    capability = (properties.major, properties.minor)
    lacking = _not_built_for(capability, torch.cuda.get_arch_list())
    if lacking and not found.rocm:
        reason = f"{properties.name}: {found.torch} has no kernels for {lacking}"
        return _with(
            found, f"cuda:{index}", f"{reason}; install an older torch, or inference.device: cpu"
        )
    free, total = torch.cuda.mem_get_info(index)
    card = Card(properties.name, capability, free, total)
    return Machine(**(vars(found) | {"device": f"cuda:{index}", "card": card}))


def _with(found: Machine, device: str, problem: str) -> Machine:
    return Machine(**(vars(found) | {"device": device, "problem": problem}))


def _why_no_card(version: str, built_for: str | None) -> str:
    """Why torch sees no GPU although there is an NVIDIA card; empty without a card."""
    if not Path("/proc/driver/nvidia/version").exists():
        return ""
    if built_for is None:
        return (
            f"there is an NVIDIA card, but torch {version} is a build for the CPU: install a CUDA"
            " build (pytorch.org/get-started), or set inference.device: cpu"
        )
    driver = ctypes.c_int()
    try:
        ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(driver))
    except OSError:
        return "there is an NVIDIA card, but its driver's libcuda.so.1 is not found"
    major, minor = driver.value // 1000, driver.value % 1000 // 10
    if major < int(built_for.partition(".")[0]):  # newer minor versions are compatible
        return (
            f"the NVIDIA driver knows CUDA {major}.{minor}, and torch {version} needs {built_for}:"
            " update the driver, or set inference.device: cpu"
        )
    return ""


def _not_built_for(capability: tuple[int, int], architectures: list[str]) -> str:
    """The card's architecture if torch has neither its kernels nor PTX for it; else empty."""
    numbers = [int("".join(filter(str.isdigit, name))) for name in architectures]
    mine = 10 * capability[0] + capability[1]
    return f"sm_{mine}" if numbers and mine < min(numbers) else ""


def _memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on every system
        return 0


def _compiler() -> str:
    """The one that Triton takes: $CC, else gcc or clang."""
    names = [os.environ.get("CC", ""), "gcc", "clang"]
    return next((path for name in names if name and (path := shutil.which(name))), "")
