"""How long an answer waits for a service that is not there, or refuses for a moment."""

from typing import Any

import pytest
from tenacity import AsyncRetrying, RetryCallState

from bot.client import InferenceError, NotReady, Unreachable
from bot.client import client as client_module
from bot.config import Config, builtin_texts
from bot.conversation import waiting
from bot.conversation.reply import ReplyState
from tests.conversation.conftest import Chat, finished
from tests.conversation.test_responder import until
from tests.doubles.inference import Error


def pause(tries: int, error: InferenceError) -> float:
    """Seconds before the next try after so many that ended so."""
    state = RetryCallState(AsyncRetrying(), None, (), {})
    state.attempt_number = tries
    state.set_exception((type(error), error, None))
    return waiting._pause(state)


@pytest.mark.parametrize(("tries", "least"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (9, 10)])
def test_pauses_grow_from_one_second_to_ten_and_differ_by_up_to_a_second(
    tries: int, least: int
) -> None:
    pauses = {pause(tries, NotReady("", 0.0)) for _ in range(20)}
    assert all(least <= seconds <= least + 1 for seconds in pauses)
    assert len(pauses) > 1


def test_a_pause_is_as_long_as_the_server_asks_for() -> None:
    assert pause(1, NotReady("", 25.0)) == 25.0
    assert pause(1, Unreachable("")) < 3


async def test_a_service_that_is_not_ready_by_the_deadline_is_given_up(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "POLL_SECONDS", 0.01)
    chat.configure(Config.model_validate({"inference": {"request_timeout_seconds": 0.05}}))
    chat.inference.ready = False
    reply = await chat.answer("Hi")
    assert (reply.state, reply.notices) == (ReplyState.FAILED, [builtin_texts("en")["failed"]])
    assert chat.inference.requests == []


async def test_a_service_that_begins_to_restart_as_it_is_asked_is_waited_for(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    def restarts(body: dict[str, Any]) -> Error | None:
        if len(chat.inference.requests) > 1:
            return None
        chat.inference.ready = False
        return Error(503)

    monkeypatch.setattr(client_module, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(chat.inference, "refusal", restarts)
    reply = await chat.ask("Hi")
    await until(reply, ReplyState.LOADING)
    chat.inference.ready = True
    assert (await finished(reply)).text == "Hello there."


async def test_a_reply_that_waited_for_the_service_waits_for_its_turn_then(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "FIRST_PAUSE_SECONDS", 0.01)
    chat.inference.script(Error(503))
    reply = await chat.ask("Hi")
    states = [update.state async for update in reply.updates()]
    assert states[0] is ReplyState.QUEUED
    assert ReplyState.UNAVAILABLE in states
    assert states[-1] is ReplyState.DONE
