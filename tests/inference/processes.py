"""`bot serve` as a process of its own."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from openai import AsyncOpenAI

from bot.client.supervisor import start_service
from bot.listener import address_of, bind
from tests.http_client import http_client
from tests.inference.openai_client import openai_client
from tests.waiting import HANG_SECONDS

PATIENT = """
from bot.cli import app
from bot.inference.server import process
process.DRAIN_SECONDS = float("inf")
app()
"""
"""`bot` with a service that waits for ever for the answers that are on their way when it ends."""


def command(tmp_path: Path, *, patient: bool = False, **inference: object) -> list[str]:
    lines = "".join(f"  {key}: {value}\n" for key, value in inference.items())
    config = tmp_path / "bot.yaml"
    config.write_text(f"inference:\n{lines}", encoding="utf-8")
    program = ["-c", PATIENT] if patient else ["-m", "bot"]
    return [sys.executable, *program, "serve", "--config", str(config)]


@asynccontextmanager
async def serve(
    tmp_path: Path, model: Path, *, ready: bool = True, stderr: int = DEVNULL, **options: Any
) -> AsyncIterator[tuple[Process, AsyncOpenAI]]:
    """A supervised `bot serve` and a client; it must end by itself when its stdin closes."""
    with bind("127.0.0.1:0", secret="") as listener:
        url = f"http://{address_of(listener)}"
        started = command(tmp_path, model=model, device="cpu", **options)
        process = await start_service(started, listener, os.environ, stderr=stderr)
    try:
        async with openai_client(url) as client:
            await until_health(url, 200 if ready else 503)
            yield process, client
    finally:
        assert process.stdin
        process.stdin.close()
        async with asyncio.timeout(HANG_SECONDS):
            await process.wait()


async def until_health(url: str, status: int) -> dict[str, Any]:
    async with (
        asyncio.timeout(HANG_SECONDS),
        http_client() as client,
    ):
        while True:
            try:
                response = await client.get(f"{url}/health")
                if response.status_code == status:
                    body: dict[str, Any] = response.json()
                    return body
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.05)


def ask(client: AsyncOpenAI, model: Path, **options: Any) -> Any:
    messages: list[Any] = [{"role": "user", "content": "Why is the sky blue? " * 20}]
    return client.chat.completions.create(model=str(model), messages=messages, **options)
