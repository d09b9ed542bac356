"""A running `bot serve`, and a client of it."""

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil
from openai import AsyncOpenAI
from prometheus_client.parser import text_string_to_metric_families

from tests.http_client import http_client
from tests.inference.processes import serve
from tests.inference.tiny_model import save_tiny_model
from tests.waiting import HANG_SECONDS


@dataclass
class Service:
    client: AsyncOpenAI
    http: httpx2.AsyncClient
    model: str
    process: Process

    async def ask(
        self,
        text: str = "Why is the sky blue?",
        *,
        user: str = "server/person",
        tokens: int = 48,
        **options: Any,
    ) -> Any:
        """A completion, or with `stream` its chunks; greedy, the model uses up all its tokens."""
        return await self.client.chat.completions.create(
            model=self.model,
            messages=[{"role": "user", "content": text}],
            user=user,
            max_tokens=tokens,
            **{"temperature": 0} | options,
        )

    async def health(self) -> dict[str, Any]:
        body: dict[str, Any] = (await self.http.get("/health")).json()
        return body

    async def metric(self, name: str) -> float:
        """A gauge or counter of Prometheus's, by its sample's name."""
        text = (await self.http.get("/metrics")).text
        families = text_string_to_metric_families(text)
        (value,) = (s.value for family in families for s in family.samples if s.name == name)
        return value

    async def until(self, **counts: int) -> None:
        """Return once `running` or `waiting` are so many."""
        async with asyncio.timeout(HANG_SECONDS):
            while not counts.items() <= (await self.health()).items():
                pass

    async def until_free(self) -> None:
        """Return once the engine holds no sequence, by its own count."""
        async with asyncio.timeout(HANG_SECONDS):
            while await self.metric("bot_engine_sequences"):
                pass

    def memory(self) -> int:
        """Resident bytes."""
        return int(psutil.Process(self.process.pid).memory_info().rss)


@asynccontextmanager
async def service(
    folder: Path, *, model: Path | None = None, **inference: object
) -> AsyncIterator[Service]:
    """Of a tiny model where no `model` is named; afterwards it must end with nothing left to do."""
    if model is None:
        model = folder / "tiny"
        save_tiny_model(model, context=100_000)
    async with serve(folder, model, **inference) as (process, client):
        url = str(client.base_url).removesuffix("/v1/")
        async with http_client(url) as http:
            yield Service(client, http, str(model), process)


def place(chunk: Any) -> dict[str, Any] | None:
    """What a chunk tells of the queue; None once the answer has begun."""
    return (chunk.model_extra or {}).get("queue")
