"""Any causal chat model that transformers can load, on CPU or CUDA."""

import json
from collections.abc import Callable
from collections.abc import Sequence as Tokens
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoModelForCausalLM, DynamicCache
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.utils import is_kernels_available, is_triton_available, logging

from bot.inference.engines import EngineError
from bot.inference.engines.base import Abandoned

MXFP4_KERNELS = "kernels-community/gpt-oss-triton-kernels"


class TransformersModel:
    """A checkpoint folder as transformers runs it; see causal.CausalModel.

    Attention layers with a sliding window keep all keys and values too: that costs memory, but
    makes every prefix of a sequence reusable.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        self._model = load_checkpoint(folder, device)
        text_config = self._model.config.get_text_config(decoder=True)
        self.device = device
        self.context: int = text_config.max_position_embeddings
        # About half a second's work for two cores; on a GPU the attention scores must fit too.
        chunk = 512 if device.type == "cuda" else 35_000_000_000 // self._model.num_parameters()
        self.chunk = max(16, min(chunk, 512))
        kinds = set(getattr(text_config, "layer_types", None) or ())
        self._abandoned: Callable[[], bool] = lambda: False
        for module in self._model.modules():
            if isinstance(module, GradientCheckpointingLayer):  # transformers' decoder layers
                module.register_forward_pre_hook(self._before_layer)
        self.can_fork = kinds <= {"full_attention", "sliding_attention", "chunked_attention"}

    def _before_layer(self, module: torch.nn.Module, inputs: object) -> None:
        if self._abandoned():
            raise Abandoned

    def new_cache(self) -> DynamicCache:
        return DynamicCache() if self.can_fork else DynamicCache(config=self._model.config)

    def fork(self, cache: DynamicCache, length: int) -> DynamicCache:
        return DynamicCache(
            [
                (layer.keys[:, :, :length].clone(), layer.values[:, :, :length].clone())
                for layer in cache.layers
            ]
        )

    def forward(
        self,
        tokens: Tokens[int],
        cache: DynamicCache,
        abandoned: Callable[[], bool] = lambda: False,
    ) -> Tensor:
        ids = torch.tensor([tokens], device=self.device)
        before = cache.get_seq_length()
        self._abandoned = abandoned
        try:
            output: Any = self._model(
                input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1
            )
        except Abandoned:
            if self.can_fork:
                _shorten(cache, before)
            raise
        logits: Tensor = output.logits[0, -1]
        return logits


def _shorten(cache: DynamicCache, length: int) -> None:
    """To `length` tokens in the layers that have more."""
    for layer in cache.layers:
        if (more := layer.get_seq_length() - length) > 0:
            layer.crop(-more)


def load_checkpoint(folder: Path, device: torch.device) -> Any:
    """The PreTrainedModel in `folder`, in the checkpoint's own type. Raises EngineError."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if (config.get("quantization_config") or {}).get("quant_method") == "mxfp4":
        _require_mxfp4(folder, device)
    logging.disable_progress_bar()
    try:
        return AutoModelForCausalLM.from_pretrained(
            folder, dtype="auto", device_map=device, local_files_only=True
        ).eval()
    except (ValueError, OSError, ImportError, SafetensorError) as error:
        raise EngineError(f"transformers can't load {folder}: {_first_line(error)}") from error


def _require_mxfp4(folder: Path, device: torch.device) -> None:
    """Refuse where transformers would silently expand MXFP4 weights to bfloat16.

    The conditions are those of transformers' Mxfp4HfQuantizer.validate_environment.
    """
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 1e9
    what = f"{folder.name} has MXFP4 weights ({size:.0f} GB) that would grow threefold"
    if device.type == "cpu":
        raise EngineError(f"{what} on a CPU; use a CUDA GPU, or the model smollm2-135m")
    capability = torch.cuda.get_device_capability(device)
    if capability < (7, 5):
        name = torch.cuda.get_device_name(device)
        raise EngineError(
            f"{what}: {name} has compute capability {capability[0]}.{capability[1]}, 7.5 is needed"
        )
    if not is_triton_available("3.4.0"):
        raise EngineError(f"{what} without Triton 3.4 or newer; pip install 'triton>=3.4'")
    if not is_kernels_available():
        raise EngineError(
            f"{what} without the right version of the package kernels;"
            " pip install '.[inference]' in gptoss-bot's folder picks it"
        )
    from transformers.integrations.hub_kernels import get_kernel

    try:
        get_kernel(MXFP4_KERNELS, version=1)
    except Exception as error:  # the hub's, the network's and the compiler's errors alike
        raise EngineError(
            f"{what}: the kernels {MXFP4_KERNELS} can't be had ({_first_line(error)});"
            f" let this machine reach the hub, or set LOCAL_KERNELS={MXFP4_KERNELS}=FOLDER"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
