"""The sequences in the engine and their pages: who waits for some, who gives theirs up."""

from collections import deque
from dataclasses import dataclass, field

import torch

from bot.inference.engines.base import Sequence
from bot.inference.engines.gptoss.model import PAGE
from bot.inference.engines.gptoss.pages import Pages, page_hash, salt_hash
from bot.inference.engines.gptoss.transfers import upload


@dataclass(eq=False)
class Run:
    """A sequence in the engine. `tokens` are its prompt and what was reported since."""

    sequence: Sequence
    slot: int
    tokens: list[int]
    pages: list[int] = field(default_factory=list)
    fed: int = 0
    """Tokens whose keys and values are in the cache, or will be after the passes under way."""
    prompt: int = 1
    """Tokens to feed in chunks: all that there were when the sequence got its pages."""
    hashes: list[bytes] = field(default_factory=list)
    """Of the pages that others can find."""

    @property
    def decodes(self) -> bool:
        return self.fed >= self.prompt


class Runs:
    """`slots` sequences at most, of `context` tokens at most, that share `pages` pages.

    `running` have pages, the others wait for some. `tables` int32 [slots + 1, pages of a sequence]
    says on the device which ones; the last row is that of rows that fill up a batch.
    """

    def __init__(self, slots: int, context: int, pages: int, device: torch.device) -> None:
        self.running: list[Run] = []
        self._waiting: deque[Run] = deque()
        self._slots = slots
        self._free_slots = list(range(slots))
        self._context = context
        self._pages = Pages(pages, PAGE)
        scratch = self._pages.allocate()  # where the rows that fill up a batch write to
        width = -(-context // PAGE)
        shape = (slots + 1, -(-width // 4) * 4)  # each row aligned to 16 bytes
        self.tables = torch.full(shape, scratch, dtype=torch.int32, device=device)

    @property
    def count(self) -> int:
        """Of all, those that wait included."""
        return self._slots - len(self._free_slots)

    def admit(self, sequence: Sequence) -> Run:
        """Let `sequence` wait for pages, with a slot of its own."""
        run = Run(sequence, self._free_slots.pop(), list(sequence.prompt))
        self._waiting.append(run)
        return run

    def release(self, sequence: Sequence) -> None:
        run = next(run for run in (*self.running, *self._waiting) if run.sequence is sequence)
        if run in self.running:
            self.running.remove(run)
            self._free_pages(run)
        else:
            self._waiting.remove(run)
        self._free_slots.append(run.slot)

    def close(self) -> None:
        """Free what is on the device."""
        self._waiting.clear()
        self.running.clear()
        del self.tables

    def start_waiting(self) -> None:
        """Give pages to waiting sequences, first come first served, as far as they go."""
        while self._waiting:
            run = self._waiting[0]
            known, hashes = self._reusable(run)
            self._pages.share(known)
            missing = -(-len(run.tokens) // PAGE) - len(known)
            if missing > self._pages.available:
                self._pages.free(known)
                break
            self._waiting.popleft()
            run.pages, run.hashes = [], hashes
            run.fed = len(known) * PAGE
            run.prompt = len(run.tokens)
            self._add_pages(run, known + [self._pages.allocate() for _ in range(missing)])
            if len(run.tokens) == len(run.sequence.prompt):
                run.sequence.cached_tokens = run.fed
            self.running.append(run)

    def extend(self) -> bool:
        """A page for every sequence that decodes and has filled its last one, if there are enough.

        Returns whether there are.
        """
        full = [run for run in self.running if run.decodes and self._is_full(run)]
        if len(full) > self._pages.available:
            return False
        for run in full:
            self._add_pages(run, [self._pages.allocate()])
        return True

    def put_last_back(self) -> None:
        """Free the pages of the sequence that started last; it is the next one to get some."""
        last = self.running.pop()
        self._free_pages(last)
        self._waiting.appendleft(last)

    def publish(self, run: Run) -> None:
        """Let others find the pages that are full of tokens known by now."""
        while (end := (len(run.hashes) + 1) * PAGE) <= min(run.fed, len(run.tokens)):
            before = run.hashes[-1] if run.hashes else salt_hash(run.sequence.cache_salt)
            run.hashes.append(page_hash(before, run.tokens[end - PAGE : end]))
            self._pages.publish(run.pages[len(run.hashes) - 1], run.hashes[-1])

    def _is_full(self, run: Run) -> bool:
        return run.fed == len(run.pages) * PAGE and run.fed < self._context

    def _reusable(self, run: Run) -> tuple[list[int], list[bytes]]:
        """Pages of the cache that have a beginning of the run's tokens, and their hashes.

        None where a seed promises the same tokens again: what is left of a prompt goes through
        kernels of other sizes than the whole, which round in another order.
        """
        if run.sequence.sampling.seed is not None:
            return [], []
        return self._pages.find(run.tokens, run.sequence.cache_salt)

    def _add_pages(self, run: Run, pages: list[int]) -> None:
        begin = len(run.pages)
        run.pages += pages
        upload(pages, self.tables[run.slot, begin : begin + len(pages)])

    def _free_pages(self, run: Run) -> None:
        self._pages.free(run.pages)
        run.pages = []
