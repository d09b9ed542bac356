"""The bot in front of each server: it answers, streams, stops, counts; the check says the rest."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.check import check
from bot.config import Config
from bot.conversation.reply import ReplyState
from tests.conversation.conftest import Chat, chatting_with
from tests.conversation.test_responder import until
from tests.doubles.inference import ScriptedInference
from tests.peers import servers

pytestmark = pytest.mark.slow

NO_QUEUE = "tells no place in the queue and no time to wait"
UNCOUNTED = "counts no tokens of a prompt (/tokenize): they are estimated"
UNKNOWN_CONTEXT = "tells no length of context: 8192 tokens are assumed"
NO_TOOLS = "takes no tools: the model can call none"


@dataclass(frozen=True)
class Peer:
    """A kind of server.

    start: gives its address.
    lacks: what `bot check` says of it.
    model: what must be named, where it doesn't tell that it has one.
    """

    start: Callable[[Path], AbstractContextManager[str]]
    lacks: tuple[str, ...]
    model: Callable[[], str] = lambda: "the-one-it-has"


PEERS = {
    "vllm": Peer(servers.vllm, (NO_QUEUE, NO_TOOLS)),
    "llama.cpp": Peer(servers.llama_cpp, (UNCOUNTED, NO_QUEUE)),
    "transformers": Peer(
        servers.transformers,
        (UNKNOWN_CONTEXT, UNCOUNTED, NO_QUEUE),
        servers.default_model,
    ),
}


@pytest.fixture(scope="module", params=PEERS)
def peer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Peer, str]]:
    """A server that runs: what it is and its address."""
    peer = PEERS[request.param]
    with peer.start(tmp_path_factory.mktemp("peer")) as url:
        yield peer, url


@pytest.fixture
async def chat(peer: tuple[Peer, str], tmp_path: Path) -> AsyncIterator[Chat]:
    async with chatting_with(peer[1], tmp_path, ScriptedInference(), peer[0].model()) as chat:
        limit_answers(chat, 24)
        yield chat


def limit_answers(chat: Chat, tokens: int) -> None:
    config = Config.model_validate({"efforts": {"medium": {"max_tokens": tokens}}})
    chat.configure(config)


async def test_it_answers_and_counts(chat: Chat) -> None:
    reply = await chat.answer("What is the capital of France?")
    assert reply.state is ReplyState.DONE, reply.notices
    assert reply.usage is not None
    assert reply.usage.prompt_tokens > 5
    assert 0 < reply.usage.answer_tokens <= 24


async def test_an_answer_comes_piece_by_piece(chat: Chat) -> None:
    lengths = set()
    reply = await chat.ask("Tell me a story.")
    async for _ in reply.updates():
        lengths.add(len(reply.text))
    assert len(lengths) > 2


async def test_a_stop_frees_the_server(chat: Chat) -> None:
    limit_answers(chat, 1000)
    reply = await chat.ask("Tell me a very long story.")
    await until(reply, ReplyState.WRITING)
    reply.stop()
    while (await chat.core.client.metrics()).running:  # noqa: ASYNC110 (another process)
        await asyncio.sleep(0.05)
    limit_answers(chat, 16)
    assert (await chat.answer("Hi")).usage is not None


async def test_a_question_that_is_too_long_is_cut(chat: Chat, peer: tuple[Peer, str]) -> None:
    if UNKNOWN_CONTEXT in peer[0].lacks:
        pytest.skip("it tells no context, and the tokens assumed take a processor minutes to read")
    reply = await chat.answer("word " * 9000)
    assert reply.usage is not None, reply.notices
    assert "too long for the model" in reply.notices[0]


async def test_the_check_says_what_it_lacks(peer: tuple[Peer, str], tmp_path: Path) -> None:
    found, url = peer
    config = Config.model_validate(
        {
            "inference": {"url": url, "model": found.model()},
            "storage": {"url": f"sqlite+aiosqlite:///{tmp_path / 'bot.db'}"},
        }
    )
    lines = await asyncio.to_thread(
        lambda: [f.detail for f in check(config) if f.subject == "inference"]
    )
    assert lines[1:] == [f"the server {line}" for line in found.lacks]
