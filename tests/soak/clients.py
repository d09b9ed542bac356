"""Clients that misbehave."""

import asyncio
import json
from asyncio import StreamReader, StreamWriter
from pathlib import Path

from tests.soak.drill import Drill, Outcome, Scale
from tests.soak.service import Service, service

MIB = 1 << 20


async def bad_clients(folder: Path, scale: Scale) -> Outcome:
    async with service(folder) as it:
        await it.ask()
        before = it.memory()
        silent = [await _post(it, length=100) for _ in range(scale.times // 5)]
        asked = {"messages": [{"role": "user", "content": "Hi"}], "temperature": 0}
        endless = {"model": it.model, "stream": True, "max_tokens": 2000} | asked
        slow, slow_writer = await _post(it, json.dumps(endless).encode())
        reading = asyncio.create_task(_read_slowly(slow))
        huge, huge_writer = await _post(it, length=100 * MIB)
        refusal = asyncio.create_task(huge.readline())
        try:
            for _ in range(100):
                huge_writer.write(b" " * MIB)
                await huge_writer.drain()
        except ConnectionError:
            pass
        assert b" 413 " in await refusal
        for _ in range(scale.times // 5):
            await it.ask()
        growth = it.memory() / before
        assert not reading.done()
        reading.cancel()
        for writer in (slow_writer, huge_writer, *(writer for _, writer in silent)):
            writer.close()
        await it.until(running=0, waiting=0)
    happened = f"413; {scale.times // 5} others were answered; memory x {growth:.2f}"
    return Outcome(len(silent) + 2, happened, growth <= 1.1)


async def _post(
    it: Service, body: bytes = b"", length: int | None = None
) -> tuple[StreamReader, StreamWriter]:
    """A request with `body`, or with headers alone that promise `length` bytes."""
    url = it.http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port, limit=1024)
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Content-Length: {length or len(body)}"
    writer.write(f"{head}\r\nContent-Type: application/json\r\n\r\n".encode() + body)
    return reader, writer


async def _read_slowly(reader: StreamReader) -> None:
    while await reader.read(1):  # noqa: ASYNC110
        await asyncio.sleep(1)  # the fault itself


DRILLS = [
    Drill(
        "clients that send headers only, read a byte a second, or send 100 MB",
        "413 for the last; others are served; 1.1 times the memory",
        bad_clients,
    ),
]
