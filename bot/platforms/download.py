"""The one way to fetch a file that a message names: from the platform's hosts, within limits."""

import asyncio
import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies

import aiohttp
from aiohttp.abc import ResolveResult
from yarl import URL

from bot.one_line import one_line
from bot.tools.addresses import is_public

SECONDS = 30.0
"""For one file, from the name's look-up to the last byte."""
REDIRECTS = 3
_CHUNK = 1 << 16
_MOVED = (301, 302, 303, 307, 308)


class NotFetched(Exception):
    """A file that could not be fetched; one line that says why, for the log."""


@dataclass(frozen=True)
class Download:
    """What was received of a file; `complete` unless there was more than might be read."""

    data: bytes
    complete: bool
    content_type: str


class Downloader:
    """Fetches files from the hosts where a platform keeps them.

    hosts: names; they are asked by HTTPS, and only at addresses that are public.
    api_url: where the platform's API is. Where it was set to another address (a proxy, a test's
        double), files are there too, and that address may be private.
    """

    def __init__(self, hosts: frozenset[str], api_url: str, seconds: float = SECONDS) -> None:
        self._hosts = hosts
        self._api = URL(api_url).origin()
        self._seconds = seconds

    async def fetch(
        self, url: str, limit: int, headers: Mapping[str, str] | None = None
    ) -> Download:
        """The file at `url`: at most `limit` bytes of it, counted after decompression.

        headers: credentials; no other host than the platform's gets them, as a redirect to
        another is not followed. Raises NotFetched.
        """
        try:
            async with asyncio.timeout(self._seconds), self._session() as session:
                return await self._follow(session, url, limit, headers or {})
        except TimeoutError:
            raise NotFetched(f"it took longer than {self._seconds:g} s") from None
        except (aiohttp.ClientConnectorError, OSError) as error:
            raise NotFetched(one_line(error)) from error
        except aiohttp.ClientError as error:  # its text may have the file's first bytes
            raise NotFetched(f"the host answered no HTTP ({type(error).__name__})") from None

    def _session(self) -> aiohttp.ClientSession:
        proxies = [urlsplit(proxy).hostname for proxy in getproxies().values()]
        resolver = _PublicAddresses({self._api.host, *proxies})
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=resolver),
            trust_env=True,  # a proxy of the environment's, which looks names up itself
            headers={"Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def _follow(
        self, session: aiohttp.ClientSession, url: str, limit: int, headers: Mapping[str, str]
    ) -> Download:
        address = self._checked(url)
        for _ in range(REDIRECTS + 1):
            async with session.get(address, headers=headers, allow_redirects=False) as response:
                if response.status in _MOVED:
                    address = self._checked(response.headers.get("Location", ""), address)
                    continue
                if response.status != 200:
                    raise NotFetched(f"the host answered {response.status}")
                data, complete = await _received(response, limit)
                return Download(data, complete, response.content_type)
        raise NotFetched("it was redirected too often")

    def _checked(self, url: str, base: URL | None = None) -> URL:
        """The address, if it is the platform's. Raises NotFetched."""
        try:
            address = base.join(URL(url)) if base else URL(url)
            origin = address.origin()
        except ValueError:
            raise NotFetched("its address is malformed") from None
        default = origin.scheme == "https" and origin.is_default_port()
        if origin == self._api or (default and origin.host in self._hosts):
            return address.with_user(None)
        raise NotFetched("it is kept on another host")


async def _received(response: aiohttp.ClientResponse, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes, and whether those are all; what Content-Length says is not relied on.

    A compressed answer, though none was asked for, is decompressed in bounded steps by aiohttp.
    """
    data = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        data += chunk
        if len(data) > limit:
            return bytes(data[:limit]), False
    return bytes(data), True


class _PublicAddresses(aiohttp.ThreadedResolver):
    """Looks names up for the connection, so that what is checked is what is connected to."""

    def __init__(self, trusted: set[str | None]) -> None:
        super().__init__()
        self._trusted = trusted

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        if host not in self._trusted:
            found = [address for address in found if is_public(address["host"])]
        if not found:
            raise OSError(errno.EADDRNOTAVAIL, f"{host} has no public address")
        return found
