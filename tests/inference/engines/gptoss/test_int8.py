"""Weights of eight bits: what rounding costs, and each kernel beside the numbers they stand for."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bot.inference.engines.gptoss import model as model_module
from bot.inference.engines.gptoss.int8 import Int8, rounded, to_int8
from bot.inference.engines.gptoss.kernels.linear import linear, norm_qkv
from bot.inference.engines.gptoss.kernels.linear_int8 import dequantize, linear_int8, qkv_int8
from bot.inference.engines.gptoss.kernels.rotary import rotate_and_store
from bot.inference.engines.gptoss.model import Model
from bot.inference.engines.gptoss.weights import Matrix, load_weights
from tests.inference.engines.gptoss.test_kernels import (
    EPSILON,
    HEADS,
    KV_HEADS,
    SIZE,
    Paged,
    integers,
    normal,
    rms_norm,
)
from tests.inference.engines.gptoss.test_model import TABLES, Part, chunk_of
from tests.inference.engines.gptoss.tiny import CPU, Tiny, assert_close, prompt_of

HALF = 1e-3
"""Weights are scaled in float16."""


def numbers(weight: Matrix) -> Tensor:
    assert isinstance(weight, Int8)
    return dequantize(weight, torch.float32)


@pytest.mark.parametrize("spread", [1e-6, 0.02, 1e6])
def test_normally_distributed_weights_are_off_by_half_a_percent(spread: float) -> None:
    weight = normal(32, 320) * spread
    weight[3, 32:64] = 0
    weight[4] *= 1e-3
    whole, scales, unit = rounded(weight)
    assert_close((whole * scales[..., None].float() * unit).view_as(weight), weight, 0.006)
    assert_close(numbers(to_int8(weight))[4], weight[4], 0.006)
    assert numbers(to_int8(torch.zeros(16, 32))).eq(0).all()


@pytest.mark.parametrize("rows", [1, 5, 19])
def test_products_of_few_rows_with_and_without_bias(rows: int) -> None:
    weight, x, bias = to_int8(normal(32, 96)), normal(rows, 96), normal(32)
    assert_close(linear_int8(x, weight, bias), F.linear(x, numbers(weight), bias), HALF)
    assert_close(linear_int8(x, weight), F.linear(x, numbers(weight)), HALF)


def test_a_row_is_normed_first() -> None:
    weight, x, norm = to_int8(normal(32, 96)), normal(1, 96) * 1e6, normal(96)
    expected = F.linear(rms_norm(x, norm), numbers(weight))
    assert_close(linear(x, weight, norm=norm, epsilon=EPSILON), expected, HALF)


@pytest.mark.parametrize("rows", [1, 3])
def test_queries_keys_and_values_from_one_kernel(rows: int) -> None:
    paged, twin = Paged(*[40] * rows), Paged(*[40] * rows)
    twin.tables, twin.cache = paged.tables, paged.cache.clone()
    lines = (HEADS + 2 * KV_HEADS) * SIZE
    weight, bias, norm = to_int8(normal(lines, 96)), normal(lines), normal(96)
    angles = normal(64, SIZE // 2)
    places = ((angles.cos(), angles.sin()), integers(*(39, 0, 33)[:rows]), integers(*range(rows)))
    hidden = normal(rows, 96)
    x = rms_norm(hidden, norm)
    qkv = F.linear(x, numbers(weight), bias)
    expected = rotate_and_store(qkv, twin.cache, *places, twin.tables, HEADS)
    if rows == 1:
        places_of = (paged.cache, *places, paged.tables, HEADS, EPSILON)
        result = norm_qkv(hidden, norm, weight, bias, *places_of)
    else:
        result = qkv_int8(x, weight, bias, paged.cache, *places, paged.tables, HEADS)
    assert_close(result, expected, HALF)
    assert_close(paged.cache, twin.cache, HALF)


@pytest.mark.slow  # some 15 s of a core
def test_a_prompt_and_what_follows_are_those_of_the_numbers_that_the_weights_stand_for(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_module, "MOST", 4)
    folder, config = tiny.folder, tiny.config
    weights = load_weights(folder, config, CPU, torch.float32, lambda share: None, int8=True)
    layers = [
        replace(layer, qkv=numbers(layer.qkv), output=numbers(layer.output))
        for layer in weights.layers
    ]
    plain = replace(weights, layers=layers, head=numbers(weights.head))
    tokens = prompt_of(10)
    results = []
    for each in (weights, plain):
        model = Model(config, each, context=256, pages=40)
        logits = [
            model.prefill(chunk_of(Part(tokens[:3], 0, 0), filled_up=1), TABLES),
            model.prefill(chunk_of(Part(tokens[3:-1], 3, 0), filled_up=0), TABLES),
        ]
        for rows in (1, 3):
            last = (integers(tokens[-1]), integers(len(tokens) - 1), integers(0))
            of_rows = (of_row.repeat(rows) for of_row in last)
            logits.append(model.decode(*of_rows, TABLES, model.attention_for(rows)))
        results.append(logits)
    for result, expected in zip(*results, strict=True):
        assert_close(result, expected, HALF)
