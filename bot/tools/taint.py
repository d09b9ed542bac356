"""What an answer has read that others wrote, and the addresses that its asker could see.

Whoever writes a page, a result or a post may write orders into it. From then on nothing that the
model makes up leaves without the asker: not an address, not a word, not a change.
"""

import re
from collections.abc import Iterable

_ADDRESS = re.compile(r"https?://[^\s<>\"'`\[\]{}|\\^]+", re.IGNORECASE)
_AFTER = ".,;:!?)*_~"


def addresses_in(text: str) -> set[str]:
    """The addresses that stand in a text, with and without what may be punctuation."""
    found = set()
    for address in _ADDRESS.findall(text):
        found.add(address)
        while address and address[-1] in _AFTER:
            address = address[:-1]
            found.add(address)
    return found


class Taint:
    """Of one answer.

    texts: what the asker could see before it began.
    tainted: whether somebody else's words, such as another bot's, are among them.
    """

    def __init__(self, texts: Iterable[str], *, tainted: bool) -> None:
        self._seen: set[str] = set()
        for text in texts:
            self._seen |= {_plain(address) for address in addresses_in(text)}
        self.tainted = tainted
        self.only_results = not tainted
        """Whether nothing but results of a search was read."""

    def read(self, *, results: bool = False) -> None:
        """Something was read that others wrote; `results`: of a search."""
        self.tainted = True
        self.only_results = self.only_results and results

    def allow(self, addresses: Iterable[str]) -> None:
        """The asker's search gave these, or the asker allowed them."""
        self._seen |= {_plain(address) for address in addresses}

    def was_seen(self, address: str) -> bool:
        """Whether the asker could see the address as it is, to the last sign."""
        return _plain(address) in self._seen


def _plain(address: str) -> str:
    """The same for all forms of an address: a host in capitals, an empty path, a fragment."""
    address, _, _ = address.partition("#")
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    path = path.replace("(", "%28").replace(")", "%29")
    return f"{scheme.lower()}://{host.lower()}{slash or '/'}{path}"
