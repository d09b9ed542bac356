"""What a request must pass before its body is read, and the limits of its body.

The API key or the sender's own machine, room in the queue, the body's size and pace: a client that
asks too much costs little.
"""

import hmac
import ipaddress
from collections.abc import Callable, Container, Mapping
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.inference.server.errors import ApiError
from bot.request_body import bounded

MAX_BODY_BYTES = 8 * 2**20
"""Room for the longest context in any script, escaped."""
MAX_BODY_VALUES = 2**19
"""Opening brackets and commas, those in texts included: lists of nothing take 100 bytes each once
they are parsed, and the time of others."""
BODY_SECONDS = 30.0
"""In which a body must have come."""
OPEN_PATHS = ("/health", "/metrics")
"""For probes and Prometheus, which send no key; they show nothing that anyone wrote."""

Refuse = Callable[[Request, ApiError, Mapping[str, str]], Response]


class Gate:
    """ASGI middleware. `refuse` answers requests that may not pass.

    With an empty `api_key` every program on this machine may ask, but no web page in its browser
    other than those of `origins`: a page sends its `Origin`, or the `Host` of its own name, pointed
    at this machine (DNS rebinding).

    `check` is called for each request whose method and path are in `checked`; it raises ApiError
    while none of them could be served.
    """

    def __init__(
        self,
        app: ASGIApp,
        api_key: str,
        origins: Container[str],
        refuse: Refuse,
        checked: Container[tuple[str, str]],
        check: Callable[[], None],
    ) -> None:
        self._app = app
        self._origins = origins
        self._refuse = refuse
        self._authorization = f"Bearer {api_key}".encode() if api_key else b""
        self._checked = checked
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            receive = bounded(receive, MAX_BODY_BYTES, MAX_BODY_VALUES, BODY_SECONDS)
            if not self._authorization and (problem := self._from_a_web_page(scope)):
                app = self._refuse(Request(scope), ApiError(403, problem, code="forbidden"), {})
            elif not self._knows(scope):
                error = ApiError(401, "The API key is missing or wrong.", code="invalid_api_key")
                app = self._refuse(Request(scope), error, {"WWW-Authenticate": "Bearer"})
            elif (scope["method"], scope["path"]) in self._checked:
                try:
                    self._check()
                except ApiError as error:
                    app = self._refuse(Request(scope), error, {})
        await app(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        if not self._authorization or scope["path"] in OPEN_PATHS:
            return True
        sent = HTTPConnection(scope).headers.get("authorization", "").encode()
        return hmac.compare_digest(sent, self._authorization)

    def _from_a_web_page(self, scope: Scope) -> str | None:
        """Why a request without a key may come from a page in a browser; None if it can't."""
        headers = HTTPConnection(scope).headers
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins and "*" not in self._origins:
            return (
                "A request with an Origin needs inference.api_key to be set, or the Origin in"
                " inference.cors."
            )
        if not _is_local(headers.get("host", "")):
            return "A request to another Host than this machine needs inference.api_key to be set."
        return None


def _is_local(host: str) -> bool:
    """Whether `host`, perhaps with a port, names this machine; a missing one is HTTP/1.0's."""
    try:
        name = urlsplit(f"//{host}").hostname or "localhost"
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
