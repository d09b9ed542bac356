"""A model in place of gpt-oss whose next token depends on every token in the cache.

Its cache has the tokens themselves, in the same pages and through the same tables. A page that was
lost, mixed up or written over changes every later token, so that engines are easily told right.
"""

from collections.abc import Callable
from types import SimpleNamespace

import torch
from torch import Tensor

from bot.inference.engines.base import Abandoned
from bot.inference.engines.gptoss.chunk import Chunk
from bot.inference.engines.gptoss.model import PAGE
from tests.inference.engines.gptoss.tiny import CPU

VOCABULARY = 50


class RememberingModel:
    device = CPU
    config = SimpleNamespace(vocab_size=VOCABULARY)

    def __init__(self, context: int, pages: int) -> None:
        self.context = context
        self.pages = pages
        self._cache = torch.full((pages, PAGE), -1)

    def attention_for(self, rows: int) -> None:
        return None

    def prefill(self, chunk: Chunk, tables: Tensor, abandoned: Callable[[], bool]) -> Tensor:
        if abandoned():
            raise Abandoned
        rows = (chunk.tokens.tolist(), chunk.positions.tolist(), chunk.slots.tolist())
        _, positions, slots = rows
        for token, position, slot in zip(*rows, strict=True):
            self._write(tables[slot], position, token)
        ends = [(slots[row], positions[row] + 1) for row in chunk.last.tolist()]
        return torch.cat([self._logits(tables[slot], end) for slot, end in ends])

    def decode(
        self, tokens: Tensor, positions: Tensor, slots: Tensor, tables: Tensor, attention: None
    ) -> Tensor:
        ends = positions.tolist()
        for token, position, slot in zip(tokens.tolist(), ends, slots.tolist(), strict=True):
            self._write(tables[slot], position, token)
        rows = zip(slots.tolist(), ends, strict=True)
        return torch.cat([self._logits(tables[slot], end + 1) for slot, end in rows])

    def _write(self, table: Tensor, position: int, token: int) -> None:
        self._cache[table[position // PAGE], position % PAGE] = token

    def _logits(self, table: Tensor, length: int) -> Tensor:
        seen = self._cache[table.long()].flatten()[:length].tolist()
        generator = torch.Generator().manual_seed(hash(tuple(seen)) % 2**62)
        return torch.rand(1, VOCABULARY, generator=generator)


def answer(prompt: list[int], count: int) -> list[int]:
    """What the model says greedily after `prompt`, with no cache to lose."""
    model = RememberingModel(context=0, pages=64)
    table = torch.arange(64)
    tokens = list(prompt)
    for position, token in enumerate(prompt):
        model._write(table, position, token)
    while len(tokens) < len(prompt) + count:
        tokens.append(int(model._logits(table, len(tokens)).argmax()))
        model._write(table, len(tokens) - 1, tokens[-1])
    return tokens[len(prompt) :]
