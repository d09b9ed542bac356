"""Llama-family models on a CPU, straight from 4-bit weights.

Decoding one token reads every weight once, so its speed is set by the bytes read and by the
operators started. ONNX Runtime has kernels for packed weights on every kind of processor, and
starts the operators of a whole pass from one call.

models/decoder_graph.py writes the graph that this module runs.
"""

import json
from collections.abc import Callable
from collections.abc import Sequence as Tokens
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F  # noqa: N812  the name everyone knows it by
from safetensors import safe_open
from torch import Tensor

from bot.inference.engines import PACKED_GRAPH
from bot.inference.engines.base import Abandoned

PIECE = 32
"""Rows of a pass between two questions whether it is abandoned; more at once are no faster."""
THREADS = torch.get_num_threads()
"""For the graph: as many as torch would use."""
BUSY_WAIT = 100
"""Microseconds in which a thread of the graph waits busily for the next operator.

With less it has to be woken within a pass. ONNX Runtime's own wait is longer and takes the core
from whatever else runs on this machine; see docs/benchmarks.md.
"""


@dataclass
class KeyValues:
    """Keys and values, float32 [layers, 2, heads, context, head size]; `length` tokens are set."""

    data: Tensor
    bound: onnxruntime.IOBinding
    """The graph's inputs and outputs that stay in place from pass to pass."""
    place: Tensor
    """int32 [2]: the position of the last token of a pass, and the tokens up to there."""
    length: int = 0


class PackedLlama:
    """See causal.CausalModel."""

    device = torch.device("cpu")
    chunk = 256
    can_fork = True

    def __init__(self, folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.context: int = config["max_position_embeddings"]
        self._vocabulary: int = config["vocab_size"]
        heads, head_size = config["num_key_value_heads"], config["head_dim"]
        self._shape = (config["num_hidden_layers"], 2, heads, self.context, head_size)
        with safe_open(folder / "model.safetensors", framework="pt") as weights:
            self._embedding: Tensor = weights.get_tensor("model.embed_tokens.weight")
        # The graph has the cores. A second thread of torch's would wait for one of them at each
        # operator of a draw, and wait busily itself while the next pass needs it.
        torch.set_num_threads(1)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.add_session_config_entry("session.intra_op.spin_duration_us", str(BUSY_WAIT))
        self._session = onnxruntime.InferenceSession(
            str(folder / PACKED_GRAPH), options, ["CPUExecutionProvider"]
        )

    def new_cache(self) -> KeyValues:
        # The system gives memory to a page when it is first written, so this takes none yet.
        data = torch.empty(self._shape)
        place = torch.zeros(2, dtype=torch.int32)
        bound = self._session.io_binding()
        shape = [1, *self._shape[2:]]
        for i, layer in enumerate(data):
            for name, part in zip((f"keys.{i}", f"values.{i}"), layer, strict=True):
                bound.bind_input(name, "cpu", 0, np.float32, shape, part.data_ptr())
                bound.bind_output(f"new_{name}", "cpu", 0, np.float32, shape, part.data_ptr())
        bound.bind_input("last", "cpu", 0, np.int32, [1], place[:1].data_ptr())
        bound.bind_input("length", "cpu", 0, np.int32, [], place[1:].data_ptr())
        return KeyValues(data, bound, place)

    def fork(self, cache: KeyValues, length: int) -> KeyValues:
        copy = self.new_cache()
        copy.data[..., :length, :] = cache.data[..., :length, :]
        copy.length = length
        return copy

    def forward(
        self, tokens: Tokens[int], cache: KeyValues, abandoned: Callable[[], bool] = lambda: False
    ) -> Tensor:
        end = cache.length
        for start in range(0, len(tokens), PIECE):
            if abandoned():
                raise Abandoned
            piece = tokens[start : start + PIECE]
            end += len(piece)
            logits = self._run(piece, cache, end)
        cache.length = end
        return logits

    def _run(self, tokens: Tokens[int], cache: KeyValues, end: int) -> Tensor:
        """One pass over `tokens`, which end at `end`; the logits after the last, [vocabulary]."""
        hidden = F.embedding(torch.tensor(tokens), self._embedding)
        logits = torch.empty(self._vocabulary)
        cache.place[0], cache.place[1] = end - 1, end
        shape = [1, *hidden.shape]
        cache.bound.bind_input("hidden", "cpu", 0, np.float32, shape, hidden.data_ptr())
        shape = [1, 1, self._vocabulary]
        cache.bound.bind_output("logits", "cpu", 0, np.float32, shape, logits.data_ptr())
        self._session.run_with_iobinding(cache.bound)
        return logits
