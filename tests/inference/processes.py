"""`bot serve` as a process of its own."""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from openai import AsyncOpenAI


def command(tmp_path: Path, **inference: object) -> list[str]:
    lines = "".join(f"  {key}: {value}\n" for key, value in inference.items())
    config = tmp_path / "bot.yaml"
    config.write_text(f"inference:\n{lines}", encoding="utf-8")
    return [sys.executable, "-m", "bot", "serve", "--config", str(config)]


@asynccontextmanager
async def serve(
    tmp_path: Path, model: Path, *, ready: bool = True, stderr: int = DEVNULL, **inference: object
) -> AsyncIterator[tuple[Process, AsyncOpenAI]]:
    """A supervised `bot serve` and a client; it must end by itself when its stdin closes."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    process = await asyncio.create_subprocess_exec(
        *command(tmp_path, model=model, listen=listen, device="cpu", **inference),
        stdin=PIPE,
        stderr=stderr,
        env=os.environ | {"BOT_SUPERVISED": "1"},
    )
    url = f"http://{listen}"
    try:
        async with AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
            await until_health(url, 200 if ready else 503)
            yield process, client
    finally:
        assert process.stdin
        process.stdin.close()
        async with asyncio.timeout(30):
            await process.wait()


async def until_health(url: str, status: int) -> dict[str, Any]:
    async with asyncio.timeout(120), httpx2.AsyncClient(trust_env=False) as client:
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
