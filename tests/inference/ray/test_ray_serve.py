"""The service under a real Ray Serve: two replicas of the tiny model, in processes of their own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import pytest

from bot.client import Finished, InferenceClient, Queued, TextDelta, Unreachable
from bot.platforms.discord.messages import without_own_lines
from tests.command import run_command
from tests.doubles.discord import Message
from tests.end_to_end.processes import write_config
from tests.http_client import http_client
from tests.inference.ray.conftest import KEY, Cluster, ask, first, rest
from tests.platforms.discord.conftest import Running, Scene, ended
from tests.platforms.discord.test_commands import say

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince20"),  # Ray's own
]

CONVERSATIONS = 100
LEAVING = 5
LONG = 400
"""Tokens of an answer that is still being written when something happens to it."""


@pytest.fixture(scope="module", autouse=True)
def two_replicas(cluster: Cluster) -> None:
    cluster.deploy(num_replicas=2)
    asyncio.run(cluster.until_replicas(RUNNING=2))


@pytest.fixture
async def bot(cluster: Cluster, running: Running) -> AsyncIterator[Scene]:
    """On Discord, in front of Ray."""
    inference = {"url": f"{cluster.url}/v1", "api_key": KEY, "model": str(cluster.model)}
    async with running(inference=inference, efforts={"medium": {"max_tokens": LONG}}) as scene:
        yield scene


async def test_a_conversations_second_turn_finds_its_prefix(client: InferenceClient) -> None:
    hits = 0
    for number in range(CONVERSATIONS):
        opening, salt = f"Conversation {number}: why is the sky blue?", f"server {number}"
        answer, one = await rest(ask(client, opening, salt=salt))
        _, two = await rest(ask(client, opening, answer, "And at night?", salt=salt))
        assert one.cached_tokens == 0
        hits += two.cached_tokens > one.prompt_tokens // 2
    assert hits >= 0.95 * CONVERSATIONS


async def test_conversations_are_spread_over_the_replicas(
    cluster: Cluster, client: InferenceClient
) -> None:
    before = await cluster.counts("vllm:generation_tokens_total")
    for number in range(20):
        await rest(ask(client, f"Question {number}", salt="server"))
    after = await cluster.counts("vllm:generation_tokens_total")
    assert all(after[replica] > before[replica] for replica in before)


async def test_a_client_that_leaves_frees_the_engine_within_one_step(
    cluster: Cluster, client: InferenceClient
) -> None:
    """The engine waits in a step until its replica has heard of it: what it does then counts."""
    with cluster.pace.slow():
        for number in range(LEAVING):
            async with aclosing(ask(client, f"Question {number}", max_tokens=LONG)) as events:
                await first(TextDelta, events)
                with cluster.pace.held():
                    before = cluster.pace.steps
                    await events.aclose()
                    await cluster.until("vllm:num_requests_running", 0, 0)
            await cluster.until("bot_engine_sequences", 0, 0)
            more = cluster.pace.steps - before
            assert more <= 1, f"the engine did {more} steps after its client had left"


async def test_a_replica_that_dies_costs_the_answer_that_it_had_begun_and_no_other(
    cluster: Cluster, client: InferenceClient
) -> None:
    with cluster.pace.slow():
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


async def test_a_conversation_leaves_a_replica_where_two_more_are_than_elsewhere(
    cluster: Cluster, client: InferenceClient
) -> None:
    await cluster.until("vllm:num_requests_running", 0, 0)
    with cluster.pace.slow():
        async with AsyncExitStack() as crowd:
            firsts = []
            for _ in range(4):
                events = ask(client, "Why is the sky blue?", salt="server", max_tokens=LONG)
                await crowd.enter_async_context(aclosing(events))
                event = await anext(events)
                firsts.append(event.position if isinstance(event, Queued) else None)
            # At home, behind that, elsewhere, and at home again: both places are true there.
            assert firsts == [None, 1, None, 2]
            assert list((await cluster.counts("vllm:num_requests_running")).values()) == [1, 1]
            waiting = await cluster.counts("vllm:num_requests_waiting")
            assert sorted(waiting.values()) == [0, 2]


async def test_two_replicas_write_nearly_twice_as_much_as_one_in_the_same_time(
    cluster: Cluster, client: InferenceClient
) -> None:
    """Their steps take the same time, so tokens are time; a processor's cores don't count."""
    await cluster.until("vllm:num_requests_running", 0, 0)
    before = await cluster.counts("vllm:generation_tokens_total")

    async def talk(number: int) -> None:
        for turn in range(6):
            await rest(ask(client, f"Question {turn} of {number}", salt="server"))

    with cluster.pace.slow():
        await asyncio.gather(*map(talk, range(6)))
    after = await cluster.counts("vllm:generation_tokens_total")
    written = [after[replica] - before[replica] for replica in before]
    assert sum(written) >= 1.8 * max(written)


async def test_what_the_bot_tells_is_of_all_replicas(
    cluster: Cluster, client: InferenceClient, bot: Scene
) -> None:
    await cluster.until("vllm:num_requests_running", 0, 0)
    async with AsyncExitStack() as crowd:
        with cluster.pace.slow():
            for _ in range(3):
                events = ask(client, "Why is the sky blue?", salt="server", max_tokens=LONG)
                await crowd.enter_async_context(aclosing(events))
                await anext(events)
            assert "Answering 2, waiting 1" in await say(bot.ann, bot.general, "status")
            metrics = await client.metrics()  # the status page's
    assert (metrics.running, metrics.waiting) == (2, 1)


async def test_while_a_replica_hangs_the_other_answers_and_tells(
    cluster: Cluster, client: InferenceClient
) -> None:
    hanging, other = await cluster.counts("bot_engine_sequences")
    with cluster.pace.hanging(hanging):
        assert (await client.health()).ready
        assert list(await cluster.counts("bot_engine_sequences")) == [other]
        await rest(ask(client, "Why is the sky blue?"))
    await cluster.until("bot_engine_sequences", 0, 0)


async def test_bot_check_finds_what_it_finds_at_one_service(
    cluster: Cluster, tmp_path: Path
) -> None:
    inference = {"url": f"{cluster.url}/v1", "api_key": KEY}
    config = write_config(tmp_path, database=False, inference=inference)
    checked = await asyncio.to_thread(run_command, "check", "--config", config)
    about = [line for line in checked.stdout.splitlines() if " inference: " in line]
    assert about == [
        f"ok   inference: {cluster.url}/v1 answers with {cluster.model}",
        "ok   inference: the server takes no tools: the model can call none",  # a tiny one
    ]


async def test_a_request_without_the_key_is_refused_at_the_front(cluster: Cluster) -> None:
    async with http_client() as stranger:
        response = await stranger.get(f"{cluster.url}/v1/models")
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "invalid_api_key"


async def test_the_bot_answers_people_with_it_and_a_stop_frees_the_engine(
    cluster: Cluster, bot: Scene
) -> None:
    with cluster.pace.slow():
        bot.ann.say(bot.general, "@bot Why is the sky blue?")
        answer: Message = await bot.general.next_message()
        await cluster.until("bot_engine_sequences", 0, 1)
        await bot.ann.click(answer, "Stop").acknowledged()
        await bot.discord.until(lambda: ended(answer))
        await cluster.until("bot_engine_sequences", 0, 0)
    whole = await bot.ask("And at night?")
    assert ended(whole)
    assert "couldn't answer" not in whole.text


async def test_the_bot_says_so_when_the_replica_that_answers_dies(
    cluster: Cluster, bot: Scene
) -> None:
    with cluster.pace.slow():
        bot.ann.say(bot.general, "@bot Why is the sky blue?")
        answer: Message = await bot.general.next_message()
        await bot.discord.until(lambda: without_own_lines(answer.text).strip())
        running = await cluster.until("bot_engine_sequences", 0, 1)
        (replica,) = (name for name, sequences in running.items() if sequences)
        cluster.kill(replica)
        await bot.discord.until(lambda: ended(answer))
    assert "The answer was cut off because the model stopped working." in answer.text
    assert without_own_lines(answer.text).strip()
    whole = await bot.ask("And at night?")
    assert "couldn't answer" not in whole.text
    assert "cut off" not in whole.text
