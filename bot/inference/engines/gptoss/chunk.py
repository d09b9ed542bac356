"""The next tokens of some prompts side by side, as one forward pass reads them."""

from dataclasses import dataclass

import torch

from bot.inference.engines.gptoss.transfers import upload

BLOCK = 128
"""Rows that attention takes together, at most."""


@dataclass(frozen=True)
class Part:
    """Some of a prompt's tokens, the first at position `start`, of the sequence in `slot`."""

    tokens: list[int]
    start: int
    slot: int


class Chunk:
    """Room on the device for `parts` parts with `rows` tokens at most; other rows fill up.

    `tokens`, `positions` and `slots` are int32 [rows]. `last` int32 [parts] is the row of each
    part's last token. `blocks` int32 [blocks, 5] has up to `block_rows` rows of one part each:
    the first row, how many rows, the first row's position, the position behind the last key that
    any of them sees, and the slot. Rows that fill up see none.
    """

    def __init__(self, rows: int, parts: int, device: torch.device) -> None:
        self.block_rows = min(BLOCK, max(16, 1 << (rows - 1).bit_length()))
        self._rows = rows
        self._blocks = rows // self.block_rows + parts + 1  # each part may begin another one
        # What kernels read comes first: it begins at 16 bytes, as they are compiled for.
        sizes = [rows, rows, rows, 5 * self._blocks, parts]
        self._numbers = torch.zeros(sum(sizes), dtype=torch.int32, device=device)
        each = torch.split(self._numbers, sizes)
        self.tokens, self.positions, self.slots, blocks, self.last = each
        self.blocks = blocks.view(self._blocks, 5)

    def fill(self, parts: list[Part], filler: int) -> "Chunk":
        """Put `parts` there, as many as there is room for; rows that fill up have slot `filler`."""
        tokens: list[int] = []
        positions: list[int] = []
        slots: list[int] = []
        last: list[int] = []
        blocks: list[tuple[int, int, int, int, int]] = []
        for part in parts:
            first, end = len(tokens), part.start + len(part.tokens)
            for start in range(part.start, end, self.block_rows):
                count = min(self.block_rows, end - start)
                row = first + start - part.start
                blocks.append((row, count, start, start + count, part.slot))
            tokens += part.tokens
            positions += range(part.start, end)
            slots += [part.slot] * len(part.tokens)
            last.append(len(tokens) - 1)
        blocks.sort(key=lambda block: -block[3])  # those with the most keys first
        missing = self._rows - len(tokens)
        for row in range(len(tokens), self._rows, self.block_rows):
            blocks.append((row, min(self.block_rows, self._rows - row), 0, 0, filler))
        blocks += [(0, 0, 0, 0, filler)] * (self._blocks - len(blocks))
        numbers = [*tokens, *[0] * missing, *positions, *[0] * missing, *slots]
        numbers += [*[filler] * missing, *(number for block in blocks for number in block), *last]
        upload(numbers, self._numbers)
        return self

    def cancel(self) -> None:
        """Let attention skip the blocks that it has not begun, in what is launched already."""
        nothing = [0] * self.blocks.numel()
        if not self.blocks.is_cuda:
            upload(nothing, self.blocks.view(-1))
            return
        beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        with torch.cuda.stream(beside):  # in the current one it would wait for that attention
            upload(nothing, self.blocks.view(-1))
        beside.synchronize()
