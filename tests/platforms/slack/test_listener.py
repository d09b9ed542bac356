"""The address that Slack calls, byte by byte: whoever finds it can call it."""

import asyncio
from asyncio import StreamReader, StreamWriter
from urllib.parse import urlsplit

import pytest

from bot import connection
from bot.platforms.slack import listener
from tests.platforms.slack.conftest import Running, Scene

HEAD = b"POST /slack/events HTTP/1.1\r\nHost: bot\r\nContent-Type: application/json\r\n"


async def opened(scene: Scene) -> tuple[StreamReader, StreamWriter]:
    address = urlsplit(scene.slack.http.url)
    return await asyncio.open_connection(address.hostname, address.port)


async def answered(scene: Scene, sent: bytes) -> bytes:
    """All that comes until the connection is closed."""
    reader, writer = await opened(scene)
    writer.write(sent)
    got = await reader.read()
    writer.close()
    return got


@pytest.mark.parametrize("sent", [b"", b"POST /sla", HEAD])
async def test_a_client_without_a_whole_request_is_not_waited_for(
    running: Running, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(http=True) as scene:
        monkeypatch.setattr(connection, "HEADER_SECONDS", 0.05)
        assert await answered(scene, sent) == b""


async def test_a_body_that_does_not_come_is_not_waited_for(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(http=True) as scene:
        monkeypatch.setattr(listener, "BODY_SECONDS", 0.05)
        sent = HEAD + b"Connection: close\r\nContent-Length: 9\r\n\r\n{"
        assert (await answered(scene, sent)).startswith(b"HTTP/1.1 408 ")


async def test_a_body_that_is_too_large_is_refused(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(http=True) as scene:
        monkeypatch.setattr(listener, "MAX_BODY_BYTES", 100)
        sent = HEAD + b"Connection: close\r\nContent-Length: 101\r\n\r\n" + b"x" * 101
        assert (await answered(scene, sent)).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n\xff\xfe", b"400"),
        (b"no HTTP at all\r\n\r\n", b"400"),
        (b"GET /slack/events HTTP/1.1\r\nHost: bot\r\nConnection: close\r\n\r\n", b"405"),
        (b"POST /admin HTTP/1.1\r\nHost: bot\r\nConnection: close\r\n\r\n", b"404"),
    ],
)
async def test_what_slack_would_not_send_is_refused(
    running: Running, sent: bytes, status: bytes
) -> None:
    async with running(http=True) as scene:
        assert (await answered(scene, sent)).startswith(b"HTTP/1.1 " + status)
        assert (await scene.ask("hi")).text.startswith("Hello there.")


async def test_a_client_that_leaves_leaves_no_trace(running: Running) -> None:
    async with running(http=True) as scene:
        for sent in (HEAD, HEAD + b"Content-Length: 9\r\n\r\n{"):
            _, writer = await opened(scene)
            writer.write(sent)
            await writer.drain()
            writer.transport.abort()
        await scene.ask("hi")
        assert "Traceback" not in scene.bot.err.text
        assert "error" not in scene.bot.err.text
