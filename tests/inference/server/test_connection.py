"""What a client may do with its connection, byte by byte."""

import asyncio
import json
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import repeat
from typing import Any

import pytest

pytest.importorskip("transformers")

import httpx2

from bot import connection
from bot.inference.engines.base import Sequence
from bot.inference.server.service import Service
from bot.inference.text.prompt import ChatFormat
from tests.inference.scripted_engine import ScriptedEngine
from tests.inference.serving import NAME, loaded, serving, until
from tests.inference.tokenizers_fixture import SMOLLM2_TEMPLATE, chatml_tokenizer

FORMAT = ChatFormat(chatml_tokenizer(SMOLLM2_TEMPLATE))
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def endless(sequence: Sequence) -> Iterator[int]:
    return repeat(FORMAT.control_ids(" blue")[0])


def question(*headers: str, stream: bool = True) -> bytes:
    chat = {"model": NAME, "stream": stream, "messages": [{"role": "user", "content": "Hello"}]}
    body = json.dumps(chat)
    lines = [
        "POST /v1/chat/completions HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
    ]
    lines += [f"Content-Length: {len(body)}", *headers, "", body]
    return "\r\n".join(lines).encode()


@asynccontextmanager
async def connected(**options: Any) -> AsyncIterator[tuple[Service, StreamReader, StreamWriter]]:
    """A service whose answers have no end, and a connection to it."""
    async with serving(loaded(FORMAT, ScriptedEngine(endless)), **options) as (service, url):
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx2.URL(url).port)
        yield service, reader, writer
        writer.close()


@pytest.mark.parametrize("sent", [b"", HEALTH[:24], HEALTH + b"GET"])
async def test_a_client_without_a_whole_request_is_not_waited_for(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEADER_SECONDS", 0.05)
    async with connected() as (_, reader, writer):
        writer.write(sent)
        assert (await reader.read()).count(b"HTTP/1.1 200") == sent.count(b"\r\n\r\n")


@pytest.mark.parametrize("early", [b"\r\n", HEALTH])
@pytest.mark.parametrize("stream", [True, False])
async def test_the_leaving_of_a_client_that_sent_more_than_its_request_is_noticed(
    early: bytes, stream: bool
) -> None:
    async with connected() as (service, _, writer):
        writer.write(question(stream=stream))
        await until(lambda: service.running == 1)
        writer.write(early)
        await writer.drain()
        writer.close()
        await until(lambda: service.running == 0)


async def test_requests_that_come_early_are_answered_in_turn() -> None:
    async with connected() as (_, reader, writer):
        writer.write(HEALTH * 3)
        for _ in range(3):
            assert b" 200 " in await reader.readuntil(b"\r\n")
            await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"}")


async def test_while_the_queue_is_full_a_question_is_refused_before_it_is_read() -> None:
    async with connected(queue_limit=0) as (service, reader, writer):
        _, asking = await asyncio.open_connection("127.0.0.1", writer.get_extra_info("peername")[1])
        asking.write(question())
        await until(lambda: service.running == 1)
        head, body = question().split(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        assert b" 429 " in await reader.readuntil(b"\r\n")
        assert b"\r\nretry-after: " in await reader.readuntil(b"\r\n\r\n")
        assert b'"queue_full"' in await reader.readuntil(b"}}")
        writer.write(body + HEALTH)  # the connection can still be used
        assert b" 200 " in await reader.readuntil(b"\r\n")
        asking.close()


async def test_no_more_than_a_little_is_kept_of_what_comes_early() -> None:
    async with connected() as (service, _, writer):
        writer.write(question())
        await until(lambda: service.running == 1)
        writer.write(b"x" * (connection.MAX_EARLY_BYTES + 1))
        await until(lambda: service.running == 0)


async def test_what_follows_the_last_request_of_a_connection_does_not_end_its_answer() -> None:
    async with connected() as (_, reader, writer):
        writer.write(question("Connection: close"))
        await reader.readuntil(b"blue")
        writer.write(b"\r\n")
        for _ in range(20):
            await reader.readuntil(b"blue")


@pytest.mark.parametrize(
    "sent",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: no host\r\n\r\n",
        b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_no_http_is_refused_in_openais_form(sent: bytes) -> None:
    async with connected() as (_, reader, writer):
        writer.write(sent)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"]["type"] == "invalid_request_error"


async def test_a_body_that_breaks_off_into_no_http_gets_no_second_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with connected() as (_, reader, writer):
        head = b"POST /unknown HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head)
        assert b" 404 " in await reader.readuntil(b"\r\n")
        writer.write(b"zz\r\n")
        assert b"HTTP/1.1" not in await reader.read()
    assert not [record for record in caplog.records if record.exc_info]
