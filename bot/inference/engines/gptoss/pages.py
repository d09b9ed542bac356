"""Pages of the key-value cache: who uses them, what is in them, which may go.

A full page is known by a hash of all tokens up to its end, so that any sequence that begins alike
reuses it: the next turn of a conversation, another conversation with the same persona. Pages that
nobody uses keep what they have until they are needed for something else, the least recently used
first. All layers keep all pages, sliding ones too: a reuse needs them wherever it begins.

Hashes begin with a sequence's salt, as in vLLM, so that only sequences with the same salt find each
other's pages.
"""

import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Sequence as Tokens

Hash = bytes


def salt_hash(salt: str | None) -> Hash:
    """What stands before the first page of a sequence with `salt`; no page can have this hash."""
    if salt is None:
        return b""
    return hashlib.blake2b(salt.encode(), digest_size=16, person=b"cache salt").digest()


def page_hash(before: Hash, tokens: Tokens[int]) -> Hash:
    """The hash of a page with `tokens`, after a page with the hash `before`, or a salt's hash."""
    return hashlib.blake2b(before + array("q", tokens).tobytes(), digest_size=16).digest()


class Pages:
    """`count` pages of `size` tokens, numbered from 0."""

    def __init__(self, count: int, size: int) -> None:
        self.size = size
        self._users = [0] * count
        self._unused: OrderedDict[int, None] = OrderedDict.fromkeys(range(count))
        self._by_hash: dict[Hash, int] = {}
        self._hashes: dict[int, Hash] = {}

    @property
    def available(self) -> int:
        """Pages that `allocate` can give."""
        return len(self._unused)

    def find(self, tokens: Tokens[int], salt: str | None = None) -> tuple[list[int], list[Hash]]:
        """The pages that have the longest known beginning of `tokens`, and their hashes.

        One token at least is left over: it must be computed for the logits after it.
        """
        found: list[int] = []
        hashes: list[Hash] = []
        before = salt_hash(salt)
        for begin in range(0, len(tokens) - self.size, self.size):
            before = page_hash(before, tokens[begin : begin + self.size])
            if before not in self._by_hash:
                break
            found.append(self._by_hash[before])
            hashes.append(before)
        return found, hashes

    def share(self, pages: list[int]) -> None:
        """Use pages that `find` found."""
        for page in pages:
            self._users[page] += 1
            self._unused.pop(page, None)

    def allocate(self) -> int:
        """An unused page, for new content. There must be one `available`."""
        page, _ = self._unused.popitem(last=False)
        if known := self._hashes.pop(page, None):
            del self._by_hash[known]
        self._users[page] = 1
        return page

    def publish(self, page: int, content: Hash) -> None:
        """Let others find `page` by its `content`, unless they have another one for that."""
        if content not in self._by_hash:
            self._by_hash[content] = page
            self._hashes[page] = content

    def free(self, pages: list[int]) -> None:
        """End a use of `pages`, a sequence's in order; its last ones are the first to go."""
        for page in reversed(pages):
            self._users[page] -= 1
            if not self._users[page]:
                self._unused[page] = None
                # a page without a name is of no use to anybody
                self._unused.move_to_end(page, last=page in self._hashes)
