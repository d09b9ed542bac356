"""What a request must pass before its body is read, and the limits of its body.

The API key, room in the queue, the body's size and pace: a client that asks too much costs little.
"""

import asyncio
import hmac
from collections.abc import Callable, Container, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.inference.server.errors import ApiError

MAX_BODY_BYTES = 8 * 2**20
"""Room for the longest context in any script, escaped."""
BODY_SECONDS = 30.0
"""In which a body must have come."""
OPEN_PATHS = ("/health", "/metrics")
"""For probes and Prometheus, which send no key; they show nothing that anyone wrote."""

Refuse = Callable[[Request, ApiError, Mapping[str, str]], Response]


class Gate:
    """ASGI middleware. An empty `api_key` lets everyone in; `refuse` answers who may not.

    `check` is called for each request whose method and path are in `checked`; it raises ApiError
    while none of them could be served.
    """

    def __init__(
        self,
        app: ASGIApp,
        api_key: str,
        refuse: Refuse,
        checked: Container[tuple[str, str]],
        check: Callable[[], None],
    ) -> None:
        self._app = app
        self._refuse = refuse
        self._authorization = f"Bearer {api_key}".encode() if api_key else b""
        self._checked = checked
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            receive = _bounded(receive)
            if not self._knows(scope):
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


def _bounded(receive: Receive) -> Receive:
    """`receive` that raises HTTPException 413 or 408 while a body is too long or does not come."""
    size = 0
    complete = False
    deadline = asyncio.get_running_loop().time() + BODY_SECONDS

    async def bounded() -> Message:
        nonlocal size, complete
        if complete:  # what follows is the disconnect, whenever it comes
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, f"The body did not come within {BODY_SECONDS:g} s") from None
        size += len(message.get("body", b""))
        if size > MAX_BODY_BYTES:
            raise HTTPException(413, f"The body is over {MAX_BODY_BYTES} bytes")
        complete = not message.get("more_body", False)
        return message

    return bounded
