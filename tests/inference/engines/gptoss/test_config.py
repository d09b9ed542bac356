"""Our reading of config.json beside transformers'."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GptOssConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from bot.inference.engines import EngineError
from bot.inference.engines.gptoss.config import read_config, rotation
from tests.inference.engines.gptoss.tiny import CPU, Tiny, assert_close

PUBLISHED: dict[str, Any] = {
    "model_type": "gpt_oss",
    "vocab_size": 201088,
    "hidden_size": 2880,
    "intermediate_size": 2880,
    "num_hidden_layers": 4,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "num_local_experts": 32,
    "num_experts_per_tok": 4,
    "max_position_embeddings": 131072,
    "rms_norm_eps": 1e-05,
    "swiglu_limit": 7.0,
    "sliding_window": 128,
    "layer_types": ["sliding_attention", "full_attention"] * 2,
    "rope_theta": 150000,
    "rope_scaling": {
        "beta_fast": 32.0,
        "beta_slow": 1.0,
        "factor": 32.0,
        "original_max_position_embeddings": 4096,
        "rope_type": "yarn",
        "truncate": False,
    },
}
"""Of gpt-oss-20b's config.json (huggingface.co/openai/gpt-oss-20b), with fewer layers."""


def write(folder: Path, **changes: Any) -> Path:
    (folder / "config.json").write_text(json.dumps(PUBLISHED | changes), encoding="utf-8")
    return folder


@pytest.mark.parametrize("truncate", [False, True])
def test_positions_turn_as_in_transformers(tmp_path: Path, truncate: bool) -> None:
    rope = PUBLISHED["rope_scaling"] | {"truncate": truncate}
    folder = write(tmp_path, rope_scaling=rope)
    frequencies, factor = ROPE_INIT_FUNCTIONS["yarn"](GptOssConfig.from_pretrained(folder), CPU)
    angles = torch.outer(torch.arange(5000.0), frequencies)
    cosines, sines = rotation(read_config(folder), 5000, CPU)
    assert_close(cosines, angles.cos() * factor, 1e-4)
    assert_close(sines, angles.sin() * factor, 1e-4)


def test_sizes_are_those_that_transformers_reads(tiny: Tiny) -> None:
    theirs = GptOssConfig.from_pretrained(tiny.folder)
    for name in ("vocab_size", "hidden_size", "head_dim", "num_local_experts", "rms_norm_eps"):
        assert getattr(tiny.config, name) == getattr(theirs, name)
    assert tiny.config.windows == (theirs.sliding_window, 0)


def test_a_window_is_for_sliding_layers(tmp_path: Path) -> None:
    assert read_config(write(tmp_path)).windows == (128, 0, 128, 0)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"head_dim": 48}, "head_dim is 48; this engine needs a power of two"),
        ({"hidden_size": 100}, "hidden_size has to be a multiple of 64"),
        (
            {"rope_scaling": {"rope_type": "linear"}},
            "rope_type is linear, and this engine has yarn",
        ),
        ({"sliding_window": None}, "config.json isn't a complete configuration"),
    ],
)
def test_what_the_kernels_do_not_fit_is_one_line(
    tmp_path: Path, changes: dict[str, Any], line: str
) -> None:
    with pytest.raises(EngineError, match=line) as error:
        read_config(write(tmp_path, **changes))
    assert "\n" not in str(error.value)
