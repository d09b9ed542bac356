"""A Ray of this machine, with replicas of a tiny model."""

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2
import pytest
import yaml
from tenacity import retry, stop_after_attempt

from bot.client import Event, Finished, InferenceClient, TextDelta
from tests.end_to_end.processes import write_config
from tests.http_client import http_client
from tests.platforms.discord.conftest import running
from tests.waiting import HANG_SECONDS

if TYPE_CHECKING:
    from tests.inference.ray.paced import Pace

__all__ = ["running"]

E = TypeVar("E", bound=Event)

KEY = "sesame"
RAY_FILE = Path(__file__).parents[3] / "deploy/ray-serve.yaml"
SAMPLE = re.compile(r'^(\S+)\{.*replica="(\w+)".*\} (\S+)$', re.MULTILINE)


@dataclass
class Cluster:
    """`url` is the front's; `folder` is the tests' to write in.

    version: with another one, the next deployment replaces all replicas.
    """

    url: str
    model: Path
    folder: Path
    version: int = 0

    @cached_property
    def pace(self) -> "Pace":
        """Of the replicas' engines."""
        from tests.inference.ray.paced import Pace

        return Pace(self.model)

    async def counts(self, metric: str) -> dict[str, float]:
        """A metric of each replica, by its name."""
        async with http_client() as client:
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

    async def until_gone(self, *replicas: str) -> None:
        """Once none of these is a replica any more."""
        async with asyncio.timeout(HANG_SECONDS):
            while set(replicas) & set(await self.counts("bot_engine_sequences")):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    def deploy(self, **replicas: Any) -> None:
        """Do what `serve run` does with Ray's file, which has these options of the replicas."""
        from ray.serve.scripts import run

        file = yaml.safe_load(RAY_FILE.read_text(encoding="utf-8"))
        address = httpx2.URL(self.url)
        file["http_options"] = {"host": address.host, "port": address.port}
        (application,) = file["applications"]
        (deployment,) = application["deployments"]
        application["import_path"] = "tests.inference.ray.paced:app"
        inference = {"model": str(self.model), "device": "cpu", "api_key": KEY}
        config = write_config(self.folder, database=False, inference=inference)
        application["args"] = {"config": str(config), "version": self.version}
        application["deployments"] = [{"name": deployment["name"], **replicas}]
        path = self.folder / "ray-serve.yaml"
        path.write_text(yaml.safe_dump(file), encoding="utf-8")
        run.main([str(path), "--non-blocking"], standalone_mode=False)

    async def until_replicas(self, **states: int) -> None:
        """Once so many replicas are in these states of Ray's, and none in another."""
        from ray import serve

        async with asyncio.timeout(HANG_SECONDS):
            while True:
                application = serve.status().applications["bot"]
                if application.status == "DEPLOY_FAILED":
                    raise AssertionError(application.message)
                deployment = application.deployments.get("Replica")
                if deployment and deployment.replica_states == states:
                    return
                await asyncio.sleep(0.1)

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
    cluster = Cluster(f"http://127.0.0.1:{port}", model, tmp_path_factory.mktemp("deployed"))
    start(ray)
    try:
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


async def rest(events: AsyncIterator[Event]) -> tuple[str, Finished]:
    """The text of an answer from here on, and how it ended."""
    text = ""
    async for event in events:
        if isinstance(event, TextDelta):
            text += event.text
        if isinstance(event, Finished):
            return text, event
    raise AssertionError("an answer without an end")


def ask(client: InferenceClient, *turns: str, salt: str = "", max_tokens: int = 8) -> Any:
    """The events of an answer to these turns, of which a person says every other one."""
    roles = ("user", "assistant")
    messages = [{"role": roles[at % 2], "content": turn} for at, turn in enumerate(turns)]
    return client.chat(
        messages, request_id="id", effort="low", max_tokens=max_tokens, user="a/b", cache_salt=salt
    )
