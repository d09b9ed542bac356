"""What this engine needs of a checkpoint and a device."""

import importlib.util
import json
from pathlib import Path

import torch

CAPABILITY = (7, 5)
"""The least compute capability that it has kernels for."""
PROVEN = (8, 0)
"""From which on it was run as a whole (docs/models.md). Older cards get it if asked for."""


def obstacle(folder: Path, device: torch.device, engine: str = "gptoss") -> str | None:
    """Why the model in `folder` can't run here, in half a sentence; None if it can.

    engine: `inference.engine`, which says whether this one was asked for.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return f"{folder.name} has no config.json that can be read"
    quantization = config.get("quantization_config") or {}
    if config.get("model_type") != "gpt_oss" or quantization.get("quant_method") != "mxfp4":
        return f"{folder.name} isn't gpt-oss with MXFP4 weights"
    if device.type != "cuda":
        return f"it needs a CUDA card, and the device is {device.type}"
    if torch.version.hip:
        return "it needs a CUDA card, and this torch is built for AMD's ROCm"
    capability = torch.cuda.get_device_capability(device)
    least = CAPABILITY if engine == "gptoss" else PROVEN
    if capability < least:
        has, needs = (".".join(map(str, pair)) for pair in (capability, least))
        name = torch.cuda.get_device_name(device)
        return f"{name} has compute capability {has}, and it needs {needs}"
    if importlib.util.find_spec("triton") is None:
        return "it needs Triton, which is not installed (pip install triton)"
    return None
