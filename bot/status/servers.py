"""The servers that the bot knows, by ids where these may be shown, else by numbers."""

import hashlib
from collections.abc import Iterable

from bot.config import Config
from bot.status.rendering import texts_of

HANDLE_BYTES = 8


class Servers:
    """`known` are platforms and servers, in the order of their numbers."""

    def __init__(self, known: Iterable[tuple[str, str]], config: Config, secret: bytes) -> None:
        self.known = list(known)
        self._config = config
        self._secret = secret

    def name(self, platform: str, server: str) -> str:
        """What the page calls a server; an empty one stands for direct messages."""
        texts = texts_of(self._config, platform)
        if not server:
            return texts("page_direct", platform=platform.capitalize())
        if self._config.status.show_ids:
            return f"{platform.capitalize()} {server}"
        numbers = [known for of, known in self.known if of == platform]
        number = numbers.index(server) + 1 if server in numbers else "?"
        return texts("page_server_number", platform=platform.capitalize(), number=number)

    def handle(self, platform: str, server: str) -> str:
        """What stands for a server in the page's addresses."""
        key = f"{platform}\n{server}".encode()
        return hashlib.blake2b(key, key=self._secret, digest_size=HANDLE_BYTES).hexdigest()

    def find(self, handle: str) -> tuple[str, str] | None:
        """The platform and the server that a handle stands for."""
        return next((known for known in self.known if self.handle(*known) == handle), None)
