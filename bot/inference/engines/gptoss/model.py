"""gpt-oss's forward pass from the kernels: prompts' chunk, or one token of several sequences."""

import time
from collections import deque
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from bot.inference.engines.base import Abandoned
from bot.inference.engines.gptoss.chunk import Chunk
from bot.inference.engines.gptoss.config import Config, rotation
from bot.inference.engines.gptoss.int8 import Int8
from bot.inference.engines.gptoss.kernels.attention import DecodeAttention, prefill_attention
from bot.inference.engines.gptoss.kernels.decoded_experts import decoded_experts
from bot.inference.engines.gptoss.kernels.embedding import embed
from bot.inference.engines.gptoss.kernels.experts import grouped_experts, rows_together
from bot.inference.engines.gptoss.kernels.few_experts import few_experts
from bot.inference.engines.gptoss.kernels.group import combine, group
from bot.inference.engines.gptoss.kernels.launch import on_tensor_cores
from bot.inference.engines.gptoss.kernels.linear import linear, norm_qkv
from bot.inference.engines.gptoss.kernels.linear_int8 import MOST, dequantize, linear_int8, qkv_int8
from bot.inference.engines.gptoss.kernels.rotary import rotate_and_store
from bot.inference.engines.gptoss.kernels.route import Router
from bot.inference.engines.gptoss.weights import Layer, Matrix, Weights

PAGE = 32
"""Tokens in a page of the cache: what a reused beginning is a multiple of."""
FEW = 2
"""Rows up to which it is faster not to group rows by expert; see docs/benchmarks.md."""
MANY = 257
"""Rows from which experts are decoded first where Triton can't use the tensor cores.

Graphs are of fewer: the host has to know then how many rows each expert has.
"""

LONG = 1024
"""Rows from which a chunk takes the GPU longer than the host needs to launch it."""
LAYERS_AHEAD = 2
"""Layers that the host may be ahead of the GPU in a long chunk, so that it can end early."""
POLL_SECONDS = 0.0003
"""How often the host asks meanwhile whether anybody still waits for the chunk."""


class Model:
    """The weights and the paged cache of keys and values.

    `context` is the most tokens of one sequence, `pages` how many there are for all of them.
    """

    def __init__(self, config: Config, weights: Weights, context: int, pages: int) -> None:
        self.config = config
        self.context = context
        self.pages = pages
        self._weights = weights
        self._epsilon: float = config.rms_norm_eps
        self._limit = config.swiglu_limit
        device, dtype = weights.norm.device, weights.norm.dtype
        self.device = device
        self._dtype = dtype
        self._experts_dtype = torch.float32 if dtype == torch.float32 else torch.float16
        self._rotation = rotation(config, context, device)
        self._route = Router(config.num_local_experts, config.num_experts_per_tok, device)
        self._cache = torch.zeros(
            config.num_hidden_layers,
            2,
            pages,
            config.num_key_value_heads,
            PAGE,
            config.head_dim,
            dtype=dtype,
            device=device,
        )

    @staticmethod
    def page_bytes(config: Config, dtype: torch.dtype) -> int:
        """What a page takes in all layers together."""
        line: int = config.num_key_value_heads * config.head_dim * dtype.itemsize
        layers: int = config.num_hidden_layers
        return 2 * layers * PAGE * line

    def prefill(
        self, chunk: Chunk, tables: Tensor, abandoned: Callable[[], bool] = lambda: False
    ) -> Tensor:
        """Logits [parts, vocabulary] after each of the chunk's parts.

        Their keys and values go to the pages in their slots' rows of `tables` int32 [slots, pages
        of a sequence], where those of all tokens before them are. Asks `abandoned` all through a
        long chunk: once it is true, raises Abandoned.
        """
        ends: deque[torch.cuda.Event] = deque()

        def attend(layer: Layer, queries: Tensor, cache: Tensor) -> Tensor:
            if len(queries) >= LONG:
                self._keep_up(ends, chunk, abandoned)
            dtype = self._rows_dtype(len(queries))
            return prefill_attention(
                queries, cache, layer.sinks, chunk, tables, layer.window, dtype
            )

        x = self._forward(chunk.tokens, chunk.positions, chunk.slots, tables, attend)
        return self._logits(x[chunk.last.long()])

    def _keep_up(
        self, ends: "deque[torch.cuda.Event]", chunk: Chunk, abandoned: Callable[[], bool]
    ) -> None:
        """Wait until the GPU is but a few layers behind; `ends` are marks in the last ones.

        A layer's attention can take it 40 ms. What of it has not begun when nobody waits any more
        is left out, in all layers that were launched.
        """
        if self.device.type == "cuda":
            ends.append(torch.cuda.Event())  # type: ignore[no-untyped-call]
            ends[-1].record()
        while len(ends) > LAYERS_AHEAD and not abandoned():
            if ends[0].query():  # type: ignore[no-untyped-call]
                ends.popleft()
            else:
                time.sleep(POLL_SECONDS)
        if abandoned():
            chunk.cancel()
            raise Abandoned

    def decode(
        self,
        tokens: Tensor,
        positions: Tensor,
        slots: Tensor,
        tables: Tensor,
        attention: DecodeAttention,
    ) -> Tensor:
        """Logits [rows, vocabulary] after one token of each row, all int32 [rows]."""

        def attend(layer: Layer, queries: Tensor, cache: Tensor) -> Tensor:
            return attention(queries, cache, layer.sinks, positions, slots, tables, layer.window)

        if len(tokens) == 1:
            return self._forward_one(tokens, positions, slots, tables, attend)
        return self._logits(self._forward(tokens, positions, slots, tables, attend))

    def attention_for(self, rows: int) -> DecodeAttention:
        """What `decode` needs for so many rows."""
        pairs = rows * self.config.num_key_value_heads
        splits = min(32, max(2, 256 // pairs))
        splits = 1 << splits.bit_length() - 1
        heads = self.config.num_attention_heads
        return DecodeAttention(rows, heads, self._cache[0], splits, self._rows_dtype(rows))

    def _rows_dtype(self, rows: int) -> torch.dtype:
        """What so many rows are multiplied with attention's weights in."""
        int8 = isinstance(self._weights.layers[0].qkv, Int8)
        return self._experts_dtype if int8 and rows <= MOST else self._dtype

    def _forward(
        self,
        tokens: Tensor,
        positions: Tensor,
        slots: Tensor,
        tables: Tensor,
        attend: Callable[[Layer, Tensor, Tensor], Tensor],
    ) -> Tensor:
        """The normed last hidden states [rows, size]."""
        config, layers = self.config, self._weights.layers
        hidden = embed(tokens, self._weights.embedding)
        dtype = self._rows_dtype(len(tokens))
        x = combine(hidden, None, layers[0].attention_norm, self._epsilon, dtype)
        norms = [layer.attention_norm for layer in layers[1:]] + [self._weights.norm]
        for layer, cache, following in zip(layers, self._cache, norms, strict=True):
            places = (cache, self._rotation, positions, slots, tables, config.num_attention_heads)
            if isinstance(layer.qkv, Int8) and len(x) <= MOST:
                queries = qkv_int8(x, layer.qkv, layer.qkv_bias, *places)
            else:
                queries = rotate_and_store(project(x, layer.qkv, layer.qkv_bias), *places)
            added = project(attend(layer, queries, cache), layer.output, layer.output_bias)
            # Nothing else holds what the experts made: the next layer's takes its memory.
            x = combine(
                hidden, self._experts(layer, hidden, added), following, self._epsilon, dtype
            )
        return x

    def _forward_one(
        self,
        tokens: Tensor,
        positions: Tensor,
        slots: Tensor,
        tables: Tensor,
        attend: Callable[[Layer, Tensor, Tensor], Tensor],
    ) -> Tensor:
        """The logits [1, vocabulary] after one token, by fewer kernels."""
        config = self.config
        hidden = embed(tokens, self._weights.embedding)
        for layer, cache in zip(self._weights.layers, self._cache, strict=True):
            queries = norm_qkv(
                hidden,
                layer.attention_norm,
                layer.qkv,
                layer.qkv_bias,
                cache,
                self._rotation,
                positions,
                slots,
                tables,
                config.num_attention_heads,
                self._epsilon,
            )
            mixed = attend(layer, queries, cache)
            added = linear(mixed, layer.output, bias=layer.output_bias)
            self._experts(layer, hidden, added)
        return linear(hidden, self._weights.head, norm=self._weights.norm, epsilon=self._epsilon)

    def _experts(self, layer: Layer, hidden: Tensor, added: Tensor) -> tuple[Tensor, Tensor] | None:
        """Add `added` to `hidden` and run the experts on it.

        Returns their outputs and shares, see combine; None if they are added already.
        """
        rows, experts = len(hidden), self.config.num_local_experts
        few = rows <= FEW
        fragments = few or rows_together(rows, self.config.num_experts_per_tok, experts) <= 8
        x, chosen, shares = self._route(
            hidden,
            added,
            layer.experts_norm,
            layer.router,
            layer.router_bias,
            self._epsilon,
            self._experts_dtype,
            fragments,
        )
        weights = (layer.gate_up, layer.gate_up_bias, layer.down, layer.down_bias)
        if few:
            few_experts(hidden, x, (chosen, shares), *weights, self._limit)
            return None
        groups = group(chosen, experts)
        if rows >= MANY and not on_tensor_cores():
            return decoded_experts(x, groups, *weights, self._limit), shares
        return grouped_experts(x, chosen, groups, *weights, self._limit), shares

    def _logits(self, x: Tensor) -> Tensor:
        """float32 on a GPU too: in bfloat16 the greatest logits are often equal."""
        head = self._weights.head
        if isinstance(head, Int8):
            return linear_int8(x.to(self._experts_dtype), head)
        if len(x) == 1:
            return linear(x, head)
        if x.dtype == torch.float32:
            return F.linear(x, head)
        return torch.mm(x, head.T, out_dtype=torch.float32)


def project(x: Tensor, weight: Matrix, bias: Tensor) -> Tensor:
    """x [rows, columns] times `weight`, plus `bias`."""
    if isinstance(weight, Int8):
        if len(x) <= MOST:
            return linear_int8(x, weight, bias)
        weight = dequantize(weight, x.dtype)
    return F.linear(x, weight, bias)
