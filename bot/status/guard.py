"""What a request to the status page must pass, and what every answer tells the browser.

The page's own host, the token or a session that had it, and for what changes something the page's
own origin. Forms have a token of their own besides (forms.py).
"""

import hmac
import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.request_body import bounded

MAX_BODY_BYTES = 2**18
"""A persona's form with the longest prompt, in any script, escaped."""
MAX_BODY_VALUES = 2**17
BODY_SECONDS = 10.0
OPEN_PATHS = ("/login", "/static/")
"""What the page that asks for the token needs."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not no-referrer: with it, browsers send forms with the origin "null".
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
SIGNED_IN = "signed_in"
"""In the session of who has given the token."""


class Guard:
    """ASGI middleware inside the session's; `ask` answers who has not given the token."""

    def __init__(self, app: ASGIApp, token: str, hosts: "Hosts", ask: ASGIApp) -> None:
        self._app = app
        self._token = token
        self._hosts = hosts
        self._ask = ask

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        app: ASGIApp | Response = self._app
        if not self._hosts.has(request.headers.get("host", "")):
            app = PlainTextResponse("This host's name is not among status.hosts.", 403)
        elif request.method not in ("GET", "HEAD") and not _from_this_page(request):
            app = PlainTextResponse("This was sent from another page.", 403)
        elif not self._may_see(request):
            app = self._ask
        limited = bounded(receive, MAX_BODY_BYTES, MAX_BODY_VALUES, BODY_SECONDS)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await app(scope, limited, send_guarded)

    def _may_see(self, request: Request) -> bool:
        if not self._token or request.url.path.startswith(OPEN_PATHS):
            return True
        scheme, _, sent = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return is_token(sent, self._token)
        return bool(request.session.get(SIGNED_IN))


class Hosts:
    """The names under which the page is reached, so that no other name can be pointed at it.

    A web page whose own name leads to this address (DNS rebinding) would otherwise read what the
    browser may see here. An address in digits can't be pointed elsewhere.
    """

    def __init__(self, listen: str, names: Collection[str]) -> None:
        host = listen.rpartition(":")[0].strip("[]").lower()
        machine = socket.gethostname().lower()
        self._names = {host, "localhost", machine, f"{machine}.local", *names}
        self._only_loopback = _is_loopback(host)

    def has(self, header: str) -> bool:
        """Whether a `Host` header names the page's host."""
        try:
            name = (urlsplit(f"//{header}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self._only_loopback


def is_token(sent: str, token: str) -> bool:
    """Whether `sent` is the token, in a time that tells nothing of it."""
    return hmac.compare_digest(sent.encode(), token.encode())


def _from_this_page(request: Request) -> bool:
    """Whether a browser says that a page of this very host sent the request."""
    origin = request.headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc.lower() == request.headers["host"].lower()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
