"""Fetching from hosts that lie, inflate, crawl and point elsewhere: on real sockets."""

import asyncio
import gzip
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import psutil
import pytest

from bot.platforms.download import Downloader, NotFetched
from tests.doubles.proxy import ProxyDouble
from tests.platforms.raw_host import Host, answering

CREDENTIALS = {"Authorization": "Bearer xoxb-secret"}
MUCH = 1 << 20


def fetching(host: Host, **options: float) -> Callable[..., Awaitable[object]]:
    return Downloader(frozenset({"files.slack.com"}), f"{host.url}/api/", **options).fetch


async def reason(fetched: Awaitable[object]) -> str:
    with pytest.raises(NotFetched) as raised:
        await fetched
    return str(raised.value)


async def test_a_file_is_fetched_with_the_credentials_and_uncompressed() -> None:
    async with Host(answering("200 OK\r\nContent-Type: text/csv", b"a,b")) as host:
        fetched = await fetching(host)(f"{host.url}/a.csv", MUCH, CREDENTIALS)
    assert (fetched.data, fetched.complete, fetched.content_type) == (b"a,b", True, "text/csv")
    assert "Bearer xoxb-secret" in host.requests[0]
    assert re.search("accept-encoding: identity\r\n", host.requests[0], re.IGNORECASE)


async def test_a_redirect_to_another_host_is_not_followed() -> None:
    async with Host(answering("200 OK", b"not for you")) as other:
        away = answering(f"302 Found\r\nLocation: {other.url}/x")
        async with Host(away) as host:
            why = await reason(fetching(host)(f"{host.url}/a", MUCH, CREDENTIALS))
    assert why == "it is kept on another host"
    assert other.connections == 0


async def test_a_redirect_on_the_same_host_is_followed() -> None:
    async def answer(request: bytes) -> AsyncIterator[bytes]:
        moved = answering("302 Found\r\nLocation: /new")
        async for piece in (moved if b"/old" in request else answering("200 OK", b"x"))(request):
            yield piece

    async with Host(answer) as host:
        assert (await fetching(host)(f"{host.url}/old", MUCH)).data == b"x"


async def test_endless_redirects_end() -> None:
    async with Host(answering("302 Found\r\nLocation: /again")) as host:
        assert await reason(fetching(host)(f"{host.url}/a", MUCH)) == "it was redirected too often"
    assert host.connections <= 5


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a",
        "http://files.slack.com/a",
        "https://files.slack.com:8443/a",
        "https://files.slack.com.example.org/a",
        "https://files.slack.com@example.org/a",
        "https://xfiles.slack.com/a",
        "file:///etc/passwd",
        "//files.slack.com/a",
        "/a",
        "",
        "http://[::1",
        "http://127.0.0.1:1/a",
    ],
)
async def test_other_addresses_are_not_asked(url: str) -> None:
    async with Host(answering("200 OK")) as host:
        assert await reason(fetching(host)(url, MUCH, CREDENTIALS)) in (
            "it is kept on another host",
            "its address is malformed",
        )
    assert host.connections == 0


async def test_a_known_name_that_points_into_a_private_network_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    asked = []

    async def getaddrinfo(name: str, *_: object, **__: object) -> list[tuple]:
        asked.append(name)
        private = ["127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1", "224.0.0.1"]
        private += ["192.0.0.8", "192.88.99.1"]
        inside = ["64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::ffff:10.1.2.3", "::127.0.0.1"]
        found = [(socket.AF_INET, 1, 6, "", (address, 443)) for address in private]
        return found + [(socket.AF_INET6, 1, 6, "", (address, 443, 0, 0)) for address in inside]

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
    downloader = Downloader(frozenset({"files.slack.com"}), "https://slack.com/api/")
    why = await reason(downloader.fetch("https://files.slack.com/a", MUCH, CREDENTIALS))
    assert "has no public address" in why
    assert asked == ["files.slack.com"]


async def test_a_proxy_of_the_environment_is_used_though_its_address_is_private(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Host(answering("200 OK", b"x")) as host, ProxyDouble().running() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("127.0.0.1", "localhost"))
        monkeypatch.setenv("NO_PROXY", "")
        assert (await fetching(host)(f"{host.url}/a", MUCH)).data == b"x"
    assert proxy.asked == [f"GET {host.url}/a"]


async def test_a_body_longer_than_may_be_is_cut_and_the_host_left() -> None:
    async def endless(_request: bytes) -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        while True:
            yield bytes(1 << 16)

    async with Host(endless) as host:
        fetched = await fetching(host)(f"{host.url}/a", MUCH)
    assert (len(fetched.data), fetched.complete) == (MUCH, False)
    assert host.sent < 32 * MUCH


async def test_a_length_that_was_announced_too_small_is_an_error_that_quotes_nothing() -> None:
    async with Host(answering("200 OK\r\nContent-Length: 10", b"secret" * 4096)) as host:
        assert "secret" not in await reason(fetching(host)(f"{host.url}/a", MUCH))


async def test_a_length_that_was_announced_too_large_is_an_error() -> None:
    async with Host(answering("200 OK\r\nContent-Length: 999999999", b"short")) as host:
        assert await reason(fetching(host)(f"{host.url}/a", MUCH))


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_compressed_answer_is_capped_on_what_it_becomes(encoding: str) -> None:
    bomb = gzip.compress(bytes(600 << 20), 9)
    if encoding == "deflate":
        bomb = bomb[10:-8]
    head = f"200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(bomb)}"
    before = psutil.Process().memory_info().rss
    async with Host(answering(head, bomb)) as host:
        fetched = await fetching(host)(f"{host.url}/a", MUCH)
        after = psutil.Process().memory_info().rss
    assert (len(fetched.data), fetched.complete) == (MUCH, False)
    assert after - before < 64 * MUCH


async def test_a_body_that_crawls_is_given_up() -> None:
    async def crawling(_request: bytes) -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
        await asyncio.Event().wait()

    async with Host(crawling) as host:
        why = await reason(fetching(host, seconds=0.2)(f"{host.url}/a", MUCH))
    assert why == "it took longer than 0.2 s"


@pytest.mark.parametrize("head", ["404 Not Found", "500 Oops", "206 Partial", "nonsense"])
async def test_other_answers_are_no_file(head: str) -> None:
    async with Host(answering(head, b"words")) as host:
        assert await reason(fetching(host)(f"{host.url}/a", MUCH))
