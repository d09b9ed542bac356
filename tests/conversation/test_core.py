"""What a platform asks of the core about a question that it hears."""

from dataclasses import replace
from pathlib import Path
from unittest.mock import AsyncMock

import pytest

from bot.conversation.events import Place, QuestionKey
from bot.storage import Store, runs
from tests.conversation.conftest import CHANNEL, THREAD, Chat

QUESTION = QuestionKey("bot", "m")


async def joined(chat: Chat, place: Place) -> str | None:
    assert place.thread is not None
    return await chat.core.store.threads.since("test", "server", place.channel, place.thread)


async def test_a_question_is_taken_once_and_joins_its_thread(chat: Chat) -> None:
    here = await chat.core.take(QUESTION, THREAD)
    assert here is not None
    assert here.place == THREAD
    assert await joined(chat, THREAD) == "m"
    assert await chat.core.take(QUESTION, THREAD) is None


async def test_a_thread_of_a_direct_conversation_is_not_joined(chat: Chat) -> None:
    direct = replace(THREAD, direct=True)
    assert await chat.core.take(QUESTION, direct)
    assert await joined(chat, direct) is None


async def test_a_question_that_is_settled_is_left_to_no_later_run(
    chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for message in ("m", "n"):
        assert await chat.core.take(QuestionKey("bot", message), CHANNEL)
    await chat.core.settle(QUESTION, CHANNEL)
    monkeypatch.setattr(runs.StoredRuns, "goes_on", AsyncMock(return_value=False))
    async with Store.open(f"sqlite+aiosqlite:///{tmp_path / 'bot.db'}") as later:
        assert [left.message for left in await later.questions.left("test", "bot")] == ["n"]
