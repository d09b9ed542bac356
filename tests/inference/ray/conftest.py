"""A Ray of this machine, with two replicas of a tiny model."""

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from pydantic import SecretStr
from tenacity import retry, stop_after_attempt

from bot.client import Event, InferenceClient
from bot.config.schema import InferenceConfig
from tests.inference.ray.paced import load_paced, slow_file
from tests.platforms.discord.conftest import running
from tests.waiting import HANG_SECONDS

__all__ = ["running"]

E = TypeVar("E", bound=Event)

KEY = "sesame"
SAMPLE = re.compile(r'^(\S+)\{.*replica="(\w+)".*\} (\S+)$', re.MULTILINE)


@dataclass
class Cluster:
    """`url` is the front's."""

    url: str
    model: Path

    async def counts(self, metric: str) -> dict[str, float]:
        """A metric of each replica, by its name."""
        async with httpx2.AsyncClient(trust_env=False, timeout=HANG_SECONDS) as client:
            text = (await client.get(f"{self.url}/metrics")).text
        return {
            name: float(value) for found, name, value in SAMPLE.findall(text) if found == metric
        }

    async def until(self, metric: str, *values: float) -> dict[str, float]:
        """The metric of each replica, once the replicas have these values, in any order."""
        async with asyncio.timeout(HANG_SECONDS):
            while sorted((counts := await self.counts(metric)).values()) != sorted(values):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return counts

    @contextmanager
    def slow(self) -> Iterator[None]:
        """Inside, a step takes longer than a message through Ray."""
        slow_file(self.model).touch()
        try:
            yield
        finally:
            slow_file(self.model).unlink()

    def deploy(self, replicas: int) -> None:
        """Have so many replicas; returns when they are ready, or are left."""
        from ray import serve

        from bot.inference.ray.application import application

        inference = InferenceConfig(model=str(self.model), device="cpu", api_key=SecretStr(KEY))
        serve.run(application(inference, load_paced, replicas), name="bot")

    def kill(self, replica: str) -> None:
        """As when its process or its card dies."""
        import ray

        name = f"SERVE_REPLICA::bot#Replica#{replica}"
        ray.kill(ray.get_actor(name, namespace="serve"))


@retry(stop=stop_after_attempt(3), reraise=True)
def start(ray: Any) -> None:
    """Ray allows its own node half a minute, which a busy machine may not keep."""
    ray.shutdown()
    ray.init("local", num_cpus=4, include_dashboard=False, log_to_driver=False)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    # Before Ray is imported: nothing reports home, nothing is written into the home, and no process
    # is killed because a busy machine starts it slowly.
    os.environ.update(
        RAY_USAGE_STATS_ENABLED="0",
        RAY_AUTH_MODE="disabled",
        RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S=str(HANG_SECONDS),
        RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S=str(HANG_SECONDS),
    )
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install '.[ray]'")
    from ray import serve

    from tests.inference.tiny_model import save_tiny_model

    model = tmp_path_factory.mktemp("model")
    save_tiny_model(model)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    start(ray)
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": port})
        cluster = Cluster(f"http://127.0.0.1:{port}", model)
        cluster.deploy(replicas=2)
        yield cluster
        serve.shutdown()
    finally:
        ray.shutdown()


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[InferenceClient]:
    """The bot's."""
    client = InferenceClient(cluster.url, KEY, str(cluster.model))
    yield client
    await client.close()


async def first(kind: type[E], events: AsyncIterator[Event]) -> E:
    """The next event of this kind."""
    async for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"the answer ended without {kind.__name__}")


def ask(client: InferenceClient, *turns: str, salt: str = "", max_tokens: int = 8) -> Any:
    """The events of an answer to these turns, of which a person says every other one."""
    roles = ("user", "assistant")
    messages = [{"role": roles[at % 2], "content": turn} for at, turn in enumerate(turns)]
    return client.chat(
        messages, request_id="id", effort="low", max_tokens=max_tokens, user="a/b", cache_salt=salt
    )
