"""The service under a real Ray Serve: two replicas of the tiny model, in processes of their own."""

import asyncio
from contextlib import aclosing

import httpx2
import pytest

from bot.client import Finished, InferenceClient, Queued, TextDelta, Unreachable
from tests.doubles.discord import Message
from tests.inference.ray.conftest import KEY, Cluster, ask, first
from tests.platforms.discord.conftest import Running, ended
from tests.waiting import HANG_SECONDS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince20"),  # Ray's own
]

CONVERSATIONS = 100
LEAVING = 10
LONG = 400
"""Tokens of an answer that is still being written when something happens to it."""


async def finished(client: InferenceClient, *turns: str, salt: str) -> tuple[str, Finished]:
    """The whole answer, and how it ended."""
    text = ""
    async for event in ask(client, *turns, salt=salt):
        if isinstance(event, TextDelta):
            text += event.text
        if isinstance(event, Finished):
            return text, event
    raise AssertionError("an answer without an end")


async def test_a_conversations_second_turn_finds_its_prefix(client: InferenceClient) -> None:
    hits = 0
    for number in range(CONVERSATIONS):
        opening, salt = f"Conversation {number}: why is the sky blue?", f"server {number}"
        answer, one = await finished(client, opening, salt=salt)
        _, two = await finished(client, opening, answer, "And at night?", salt=salt)
        assert one.cached_tokens == 0
        hits += two.cached_tokens > one.prompt_tokens // 2
    assert hits >= 0.95 * CONVERSATIONS


async def test_conversations_are_spread_over_the_replicas(
    cluster: Cluster, client: InferenceClient
) -> None:
    before = await cluster.counts("vllm:generation_tokens_total")
    for number in range(20):
        await finished(client, f"Question {number}", salt="server")
    after = await cluster.counts("vllm:generation_tokens_total")
    assert all(after[replica] > before[replica] for replica in before)


async def test_a_client_that_leaves_frees_the_engine_within_one_step(
    cluster: Cluster, client: InferenceClient
) -> None:
    with cluster.slow():
        for number in range(LEAVING):
            async with aclosing(ask(client, f"Question {number}", max_tokens=LONG)) as events:
                await first(TextDelta, events)
                running = await cluster.until("bot_engine_sequences", 0, 1)
                before = await cluster.counts("vllm:generation_tokens_total")
            await cluster.until("bot_engine_sequences", 0, 0)
            after = await cluster.counts("vllm:generation_tokens_total")
            (replica,) = (name for name, sequences in running.items() if sequences)
            # The step that was under way, and the one that began before Ray had passed it on.
            assert after[replica] - before[replica] <= 2


async def test_a_replica_that_dies_costs_the_answer_that_it_had_begun_and_no_other(
    cluster: Cluster, client: InferenceClient
) -> None:
    with cluster.slow():
        begun = ask(client, "Why is the sky blue?", max_tokens=LONG)
        await first(TextDelta, begun)
        running = await cluster.until("vllm:num_requests_running", 0, 1)
        (replica,) = (name for name, requests in running.items() if requests)
        waiting = ask(client, "Why is the sky blue?")
        assert (await first(Queued, waiting)).position == 1
        cluster.kill(replica)
        with pytest.raises(Unreachable, match="error event engine_failed"):
            async for _ in begun:
                pass
    events = [event async for event in waiting]
    assert isinstance(events[-1], Finished)
    names = await cluster.until("vllm:num_requests_running", 0, 0)
    assert replica not in names


async def test_two_replicas_write_nearly_twice_as_much_as_one_in_the_same_time(
    cluster: Cluster, client: InferenceClient
) -> None:
    """Their steps take the same time, so tokens are time; a processor's cores don't count."""
    await cluster.until("vllm:num_requests_running", 0, 0)
    before = await cluster.counts("vllm:generation_tokens_total")

    async def talk(number: int) -> None:
        for turn in range(6):
            await finished(client, f"Question {turn} of {number}", salt="server")

    with cluster.slow():
        await asyncio.gather(*map(talk, range(6)))
    after = await cluster.counts("vllm:generation_tokens_total")
    written = [after[replica] - before[replica] for replica in before]
    assert sum(written) >= 1.8 * max(written)


async def test_health_is_that_of_all_replicas(cluster: Cluster, client: InferenceClient) -> None:
    await cluster.until("vllm:num_requests_running", 0, 0)
    with cluster.slow():
        async with aclosing(ask(client, "Why?", max_tokens=LONG)) as events:
            await first(TextDelta, events)
            health = await client.health()
    assert health.ready
    assert health.metrics
    assert health.metrics["running"] == 1


async def test_a_request_without_the_key_is_refused_at_the_front(cluster: Cluster) -> None:
    async with httpx2.AsyncClient(trust_env=False, timeout=HANG_SECONDS) as stranger:
        response = await stranger.get(f"{cluster.url}/v1/models")
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "invalid_api_key"


async def test_the_bot_answers_people_with_it_and_a_stop_frees_the_engine(
    cluster: Cluster, running: Running
) -> None:
    inference = {"url": f"{cluster.url}/v1", "api_key": KEY, "model": str(cluster.model)}
    efforts = {"medium": {"max_tokens": LONG}}
    async with running(inference=inference, efforts=efforts) as scene:
        with cluster.slow():
            scene.ann.say(scene.general, "@bot Why is the sky blue?")
            answer: Message = await scene.general.next_message()
            await cluster.until("bot_engine_sequences", 0, 1)
            await scene.ann.click(answer, "Stop").acknowledged()
            await scene.discord.until(lambda: ended(answer))
            await cluster.until("bot_engine_sequences", 0, 0)
        whole = await scene.ask("And at night?")
        assert ended(whole)
        assert "couldn't answer" not in whole.text
