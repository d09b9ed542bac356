"""The gate: only public addresses, whatever they are called, and an account of what left."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator

import pytest

from bot.tools.addresses import is_public
from bot.tools.definition import ToolError
from bot.tools.outbound import Outbound, origin_of, parsed_url
from bot.tools.receipt import Receipt
from tests.doubles.searxng import Page, SearxngDouble


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "224.0.0.1", "255.255.255.255"),
        *("240.0.0.1", "192.88.99.1", "::", "::1", "fe80::1%eth0", "fc00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1"),
        *("2002:7f00:1::", "2002:0a00:0001::1", "2001:0:53aa:64c::1", "::7f00:1", "fec0::1"),
        "2001:db8::1",
    ],
)
def test_what_is_not_the_internets_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_the_internets_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.fixture
async def site() -> AsyncIterator[SearxngDouble]:
    async with SearxngDouble().running() as site:
        site.pages["/page"] = Page("<p>Hello</p>")
        yield site


def gate(*trusted: str) -> tuple[Outbound, Receipt]:
    receipt = Receipt()
    origins = frozenset(origin_of(parsed_url(url)) for url in trusted)
    return Outbound(lambda host, count: receipt.add(host, "test", count), origins), receipt


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "127.1", "0177.0.0.1", "0x7f.1", "[::ffff:127.0.0.1]"],
)
async def test_a_private_address_is_refused_however_it_is_written(
    site: SearxngDouble, host: str
) -> None:
    outbound, receipt = gate()
    with pytest.raises(
        ToolError, match=r"not a (public address|web page)|could not be reached|not an address"
    ):
        await outbound.fetch(f"http://{host}:8080/page", limit=100)
    assert not receipt
    assert site.asked == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gopher://x/", "ftp://x/", "//x", "x", ""])
async def test_only_the_webs_addresses_are_understood(url: str) -> None:
    outbound, _ = gate()
    with pytest.raises(ToolError, match="http"):
        await outbound.fetch(url, limit=100)


async def test_the_configured_origin_may_be_private_and_no_other(site: SearxngDouble) -> None:
    outbound, receipt = gate(site.url)
    fetched = await outbound.fetch(f"{site.url}/page?x=1", limit=1000)
    assert fetched.data == b"<p>Hello</p>"
    ((host, sent),) = receipt
    assert host == site.url.removeprefix("http://")
    assert sent.bytes > len("GET /page?x=1 HTTP/1.1")
    async with SearxngDouble().running() as other:
        with pytest.raises(ToolError):
            await outbound.fetch(f"{other.url}/page", limit=1000)


async def test_each_redirect_is_checked_again(site: SearxngDouble) -> None:
    async with SearxngDouble().running() as other:
        for place in (f"{other.url}/page", "http://169.254.169.254/latest", "file:///etc/passwd"):
            site.pages["/away"] = Page("", status=302, headers={"Location": place})
            outbound, receipt = gate(site.url)
            with pytest.raises(ToolError):
                await outbound.fetch(f"{site.url}/away", limit=1000)
            assert len(list(receipt)) == 1
        assert other.asked == []


async def test_redirects_end(site: SearxngDouble) -> None:
    site.pages["/round"] = Page("", status=302, headers={"Location": "/round"})
    outbound, _ = gate(site.url)
    with pytest.raises(ToolError, match="too often"):
        await outbound.fetch(f"{site.url}/round", limit=1000)


async def test_a_name_that_changes_its_address_gains_nothing(
    site: SearxngDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection goes to the address that was checked: the name is looked up once."""
    looked_up: list[str] = []
    loop = asyncio.get_running_loop()
    port = int(site.url.rpartition(":")[2])

    async def getaddrinfo(host: str, port: int, **options: object) -> list[object]:
        looked_up.append(host)
        address = "127.0.0.1" if len(looked_up) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
    outbound, _ = gate(f"http://rebinding.example:{port}")
    fetched = await outbound.fetch(f"http://rebinding.example:{port}/page", limit=1000)
    assert fetched.data == b"<p>Hello</p>"
    assert looked_up == ["rebinding.example"]


async def test_one_private_address_among_public_ones_refuses_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def getaddrinfo(host: str, port: int, **options: object) -> list[object]:
        both = ("93.184.216.34", "10.0.0.1")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in both]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    outbound, receipt = gate()
    with pytest.raises(ToolError, match="not a public address"):
        await outbound.fetch("http://both.example/", limit=1000)
    assert not receipt


async def test_what_is_too_large_is_cut_after_it_was_unpacked(site: SearxngDouble) -> None:
    from aiohttp import web

    packed = gzip.compress(b"a" * (64 << 20))

    async def bomb(request: web.Request) -> web.Response:
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    application = web.Application()
    application.add_routes([web.get("/", bomb)])
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    outbound, _ = gate(url)
    fetched = await outbound.fetch(url, limit=10_000)
    assert (len(fetched.data), fetched.complete) == (10_000, False)
    await runner.cleanup()


@pytest.mark.parametrize("location", ["http://orders:x/", "orders:now", "mailto:orders"])
async def test_an_error_quotes_nothing_of_what_a_host_sent(
    site: SearxngDouble, location: str
) -> None:
    site.pages["/moved"] = Page("", status=302, headers={"Location": location})
    outbound, _ = gate(site.url)
    with pytest.raises(ToolError, match="it moved to something that is not") as info:
        await outbound.fetch(f"{site.url}/moved", limit=100)
    assert "orders" not in str(info.value)
