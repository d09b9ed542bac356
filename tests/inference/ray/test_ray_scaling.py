"""Replicas that come and go under a real Ray Serve, as its file says."""

import asyncio
from contextlib import AsyncExitStack, aclosing

import pytest
import yaml

from bot.client import InferenceClient, NotReady, TextDelta
from tests.inference.ray.conftest import RAY_FILE, Cluster, ask, first, rest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince20"),  # Ray's own
]

CROWD = 6
"""Requests, so that each of two replicas has at least two: one runs, another waits."""
QUICK = {
    "upscale_delay_s": 1,
    "downscale_delay_s": 1,
    "look_back_period_s": 1,
    "metrics_interval_s": 0.5,
}
"""Ray's autoscaling, whose delays are minutes."""


async def test_a_replica_that_is_taken_away_first_finishes_the_answers_that_it_has(
    cluster: Cluster, client: InferenceClient
) -> None:
    cluster.deploy(num_replicas=2)
    await cluster.until_replicas(RUNNING=2)
    async with AsyncExitStack() as crowd:
        answers = []
        with cluster.pace.slow():
            for number in range(CROWD):
                # Longer than Ray takes to look whether a replica has something left: 2 s.
                events = ask(client, f"Question {number}", max_tokens=24)
                answers.append(await crowd.enter_async_context(aclosing(events)))
                await anext(events)  # a replica has it
            with cluster.pace.held():
                cluster.deploy(num_replicas=1)
                await cluster.until_replicas(RUNNING=1, STOPPING=1)
            ends = [asyncio.create_task(rest(events)) for events in answers]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for _, end in await asyncio.gather(*ends):
            assert end.reason in ("stop", "length")
    await cluster.until_replicas(RUNNING=1)


async def test_a_rolling_redeployment_loses_no_answer(
    cluster: Cluster, client: InferenceClient
) -> None:
    cluster.deploy(num_replicas=2)
    await cluster.until_replicas(RUNNING=2)
    old = await cluster.counts("bot_engine_sequences")
    replaced = asyncio.Event()

    async def talk(number: int) -> list[str]:
        """How each answer ended."""
        ends: list[str] = []
        while not replaced.is_set():
            question = f"Question {len(ends)} of {number}"
            _, end = await rest(ask(client, question, salt="server"))
            ends.append(end.reason)
        return ends

    talking = [asyncio.create_task(talk(number)) for number in range(CROWD)]
    with cluster.pace.slow():
        cluster.version += 1
        await asyncio.to_thread(cluster.deploy, num_replicas=2)
        await cluster.until_gone(*old)
        await cluster.until_replicas(RUNNING=2)
    replaced.set()
    for ends in await asyncio.gather(*talking):
        assert ends
        assert set(ends) <= {"stop", "length"}


async def test_a_replica_that_starts_again_is_not_ready_until_its_model_is_loaded(
    cluster: Cluster, client: InferenceClient
) -> None:
    cluster.deploy(num_replicas=1)
    await cluster.until_replicas(RUNNING=1)
    (replica,) = await cluster.counts("bot_engine_sequences")
    with cluster.pace.unloaded():
        cluster.kill(replica)
        await cluster.until_replicas(STARTING=1)
        assert (await client.health()).status == "loading"
        with pytest.raises(NotReady):
            await rest(ask(client, "Why?"))
    await cluster.until_replicas(RUNNING=1)
    assert (await client.health()).ready
    await rest(ask(client, "Why?"))


async def test_a_replica_comes_with_the_load_and_goes_with_it(
    cluster: Cluster, client: InferenceClient
) -> None:
    file = yaml.safe_load(RAY_FILE.read_text(encoding="utf-8"))
    autoscaling = file["applications"][0]["deployments"][0]["autoscaling_config"]
    cluster.deploy(autoscaling_config=autoscaling | QUICK | {"max_replicas": 2})
    await cluster.until_replicas(RUNNING=1)
    async with AsyncExitStack() as crowd:
        with cluster.pace.slow():
            for number in range(CROWD):
                events = ask(client, f"Question {number}", max_tokens=400)
                await anext(await crowd.enter_async_context(aclosing(events)))
            await cluster.until("bot_engine_sequences", 0, 1)
            async with aclosing(ask(client, "And now?", max_tokens=400)) as events:
                await first(TextDelta, events)
                await cluster.until("bot_engine_sequences", 1, 1)
    await cluster.until_replicas(RUNNING=1)
