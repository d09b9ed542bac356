"""Whatever goes wrong on the way to an answer is seen in its place, and nothing stays reserved."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.config import builtin_texts
from bot.conversation.events import Message, Question, QuestionKey
from bot.conversation.in_effect import InEffect
from bot.conversation.reply import Reply, ReplyState
from bot.platforms.exchange import Exchange
from tests.conversation.conftest import ANN, CHANNEL, Chat, chatting
from tests.doubles.inference import ScriptedInference


class Shown:
    """A view that keeps what it shows; `broken` are the methods that fail, once each."""

    def __init__(self, broken: set[str]) -> None:
        self.broken = broken
        self.line = ""
        self.state: ReplyState | None = None

    async def open(self) -> None:
        self._fail("open")
        self.line = "Thinking…"

    async def follow(self, reply: Reply) -> None:
        async for _ in reply.updates():
            self._fail("follow")
            self.line, self.state = "\n".join([reply.text, *reply.notices]), reply.state

    async def delete(self) -> None:
        self.line = ""

    def shows(self, message: str) -> bool:
        return False

    def message_ids(self) -> list[str]:
        return ["1"]

    def taken_away(self, message: str) -> None:
        raise NotImplementedError

    async def text(self) -> str:
        return ""

    def _fail(self, method: str) -> None:
        if method in self.broken:
            self.broken.remove(method)
            raise RuntimeError(method)


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    async with chatting(ScriptedInference(), tmp_path) as chat:
        yield chat


@pytest.mark.parametrize("broken", ["open", "follow", "read"])
async def test_what_fails_is_told_and_given_back(chat: Chat, broken: str) -> None:
    async def read(text: str, here: InEffect) -> Question:
        if broken == "read":
            raise RuntimeError("read")
        return Question(Message("m", ANN, text))

    view = Shown({broken})
    key = QuestionKey("bot", "m")
    exchange = Exchange("Hi", key, ANN.id, CHANNEL, read, view, chat.core)
    with pytest.raises(RuntimeError, match=broken):
        await exchange.answer(await exchange.admit(ANN))
    assert view.state is ReplyState.FAILED
    assert "Something went wrong" in view.line
    used = await chat.core.store.usage.of("test")
    assert used.completion_tokens < 100
    async with chat.core.store.engine.connect() as connection:
        left = await connection.exec_driver_sql("SELECT count(*) FROM running_answers")
        assert left.scalar() == 0


async def test_an_answer_that_ended_twice_with_the_process_is_told_and_not_tried(
    chat: Chat,
) -> None:
    async def read(text: str, here: InEffect) -> Question:
        return Question(Message("m", ANN, text))

    view = Shown(set())
    key = QuestionKey("bot", "m")
    exchange = Exchange("Hi", key, ANN.id, CHANNEL, read, view, chat.core)
    await exchange.resume(await exchange.admit(ANN), again=False)
    assert builtin_texts("en")["cut_off_by_restart"] in view.line
    assert chat.inference.requests == []
    await exchange.resume(await exchange.admit(ANN), again=True)
    assert view.line == "Hello there."
