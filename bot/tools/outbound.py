"""The one gate through which tools reach other hosts.

Every request is noted in a receipt before it leaves. A host's addresses are looked up once and
checked, and the connection goes to one of those that were checked: a name that means another
address a moment later gains nothing. Redirects are followed here, each checked like the first.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2

from bot.certificates import tls_context
from bot.tools.addresses import NotPublic, addresses_of
from bot.tools.definition import ToolError

Note = Callable[[str, int], None]
"""Takes the host and the number of bytes that leave for it."""

REDIRECTS = 5
MOVED = (301, 302, 303, 307, 308)
PORTS = {"http": 80, "https": 443}
ALLOWED_PORTS = {80, 443, 8000, 8080, 8443}
"""Of hosts that are not configured: where web pages are."""
CONNECT_SECONDS = 10.0
USER_AGENT = "gptoss-bot"


@dataclass(frozen=True)
class FetchResult:
    """What a host answered; `complete` unless there was more than might be read."""

    url: str
    data: bytes
    complete: bool
    content_type: str


def parsed_url(url: str) -> httpx2.URL:
    """An address of the web, without a name and password in it. Raises ToolError."""
    try:
        found = httpx2.URL(url.strip())
    except (httpx2.InvalidURL, ValueError, TypeError):
        found = httpx2.URL("")
    if found.scheme not in PORTS or not found.host:
        raise ToolError(f"{url[:200]!r} is not an address that begins with http:// or https://")
    return found.copy_with(userinfo=b"", fragment=None)


def origin_of(url: httpx2.URL) -> str:
    """Scheme, host and port: `https://example.org:443`."""
    return f"{url.scheme}://{url.host.lower()}:{url.port or PORTS[url.scheme]}"


def _moved(at: httpx2.URL, location: str) -> httpx2.URL:
    """Where a redirect leads. Raises ToolError."""
    try:
        return parsed_url(str(at.join(location)))
    except (ToolError, httpx2.InvalidURL, ValueError):
        raise ToolError("it moved to something that is not a web address") from None


class Outbound:
    """A gate for requests whose leaving `note` is told of.

    trusted: origins that the operator configured; only they may be private, or at any port.
    only: the one origin that may be reached; "" for any.
    """

    def __init__(self, note: Note, trusted: frozenset[str] = frozenset(), only: str = "") -> None:
        self._note = note
        self._trusted = trusted
        self._only = only

    async def fetch(
        self, url: str, *, limit: int, headers: Mapping[str, str] | None = None
    ) -> FetchResult:
        """What is at `url`, at most `limit` bytes of it, counted after decompression.

        headers: of the first host only; a redirect to another gets none. Raises ToolError.
        """
        at = first = parsed_url(url)
        origin = origin_of(first)
        try:
            async with self.client() as client:
                for _ in range(REDIRECTS + 1):
                    sent = headers if origin_of(at) == origin else None
                    async with client.stream("GET", at, headers=sent) as response:
                        if response.status_code in MOVED and "location" in response.headers:
                            at = _moved(at, response.headers["location"])
                            continue
                        if response.status_code >= 400:
                            raise ToolError(f"the host answered {response.status_code}")
                        data, complete = await _received(response, limit)
                        kind = response.headers.get("content-type", "")
                        return FetchResult(str(at), data, complete, kind)
        except NotPublic as error:
            if at != first:
                raise ToolError("it moved to an address that may not be reached") from None
            raise ToolError(str(error)) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            # Without its text, which may quote what the host sent.
            what = at.host if at == first else "what it moved to"
            raise ToolError(f"{what} could not be reached: {type(error).__name__}") from None
        raise ToolError("it was redirected too often")

    @asynccontextmanager
    async def client(
        self, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[httpx2.AsyncClient]:
        """A client whose every request goes through the gate."""
        transport = _Checked(self._note, self._trusted, self._only)
        timeout = httpx2.Timeout(30.0, connect=CONNECT_SECONDS)
        async with httpx2.AsyncClient(
            transport=transport,
            timeout=timeout,
            trust_env=False,
            follow_redirects=False,
            headers={"User-Agent": USER_AGENT, **(headers or {})},
        ) as client:
            yield client


class _Checked(httpx2.AsyncBaseTransport):
    """Sends requests to addresses that were checked."""

    def __init__(self, note: Note, trusted: frozenset[str], only: str) -> None:
        self._note = note
        self._trusted = trusted
        self._only = only
        # Without connections that are kept: they are found by address, which two names may share.
        limits = httpx2.Limits(max_keepalive_connections=0)
        self._inner = httpx2.AsyncHTTPTransport(
            verify=tls_context(), trust_env=False, limits=limits
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        host, port = url.host, url.port or PORTS[url.scheme]
        origin = origin_of(url)
        trusted = origin in self._trusted
        if self._only and origin != self._only:
            raise NotPublic(f"{host} is another host than the configured one")
        if not trusted and port not in ALLOWED_PORTS:
            raise NotPublic(f"{host} is not a web page's address: port {port}")
        async with asyncio.timeout(CONNECT_SECONDS):
            addresses = await addresses_of(host, port, trusted=trusted)
        self._note(host if port == PORTS[url.scheme] else f"{host}:{port}", _size(request))
        request.extensions = {**request.extensions, "sni_hostname": url.raw_host.decode("ascii")}
        for address in addresses[:-1]:
            try:
                return await self._send(request, url, address)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return await self._send(request, url, addresses[-1])

    async def _send(
        self, request: httpx2.Request, url: httpx2.URL, address: str
    ) -> httpx2.Response:
        """The header Host and the certificate's name stay those of the URL."""
        request.url = url.copy_with(host=address)
        try:
            return await self._inner.handle_async_request(request)
        finally:
            request.url = url

    async def aclose(self) -> None:
        await self._inner.aclose()


def _size(request: httpx2.Request) -> int:
    """About how many bytes a request is: its line, its headers and its body."""
    line = len(request.method) + len(request.url.raw_path) + len(" HTTP/1.1\r\n")
    headers = sum(len(name) + len(value) + 4 for name, value in request.headers.raw)
    return line + headers + int(request.headers.get("content-length", 0)) + 2


async def _received(response: httpx2.Response, limit: int) -> tuple[bytes, bool]:
    data = bytearray()
    async for chunk in response.aiter_bytes(1 << 16):
        data += chunk
        if len(data) > limit:
            return bytes(data[:limit]), False
    return bytes(data), True
