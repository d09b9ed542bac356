"""How a view sees a reply change."""

import asyncio

import pytest

from bot.config import Effort
from bot.conversation import reply as reply_module
from bot.conversation.reply import Reply, ReplyState
from bot.tools import Approval
from bot.tools.approval import ApprovalReason
from tests.waiting import HANG_SECONDS

WRITE = Approval("key", "write", "{}", ApprovalReason.WRITES)


def new_reply() -> Reply:
    return Reply(asker="1", effort=Effort.LOW, show_reasoning=False)


async def test_a_slow_view_sees_several_changes_as_one() -> None:
    reply = new_reply()
    for word in ("one", "two", "three"):
        reply.text += word
        reply.change(ReplyState.WRITING)
    updates = reply.updates()
    assert (await anext(updates)).text == "onetwothree"
    waiting = asyncio.ensure_future(anext(updates))
    reply.change(ReplyState.DONE)
    assert (await waiting).state is ReplyState.DONE


async def test_the_last_change_always_reaches_the_view() -> None:
    reply = new_reply()
    reply.change(ReplyState.WRITING)
    reply.change(ReplyState.STOPPED)
    assert [r.state async for r in reply.updates()] == [ReplyState.STOPPED]


async def test_a_final_state_is_never_left() -> None:
    reply = new_reply()
    reply.change(ReplyState.FAILED, "why")
    reply.change(ReplyState.STOPPED, "other")
    assert reply.state is ReplyState.FAILED
    assert reply.notices == ["why"]


async def test_an_abandoned_reply_ends_for_its_view_and_asks_the_service_to_stop() -> None:
    reply = new_reply()
    reply.text = "never seen"
    reply.change(ReplyState.WRITING)
    reply.abandon()
    assert [seen async for seen in reply.updates()] == []
    await reply.ended()
    await reply.stop_requested()


async def test_a_view_that_waits_for_a_change_is_told_of_each_end() -> None:
    abandoned, done = new_reply(), new_reply()
    views = [asyncio.ensure_future(anext(reply.updates(), None)) for reply in (abandoned, done)]
    ends = [asyncio.ensure_future(reply.ended()) for reply in (abandoned, done)]
    await asyncio.sleep(0)
    abandoned.abandon()
    done.change(ReplyState.DONE)
    _, unfinished = await asyncio.wait([*views, *ends], timeout=HANG_SECONDS)
    assert not unfinished
    assert [view.result() for view in views] == [None, done]


@pytest.mark.parametrize("allowed", [True, False])
async def test_the_asker_decides_once_on_the_call_that_they_are_shown(allowed: bool) -> None:
    reply = new_reply()
    updates = reply.updates()
    decision = asyncio.ensure_future(reply.ask(WRITE))
    assert (await anext(updates)).approval == WRITE
    assert not reply.decide("another call", allowed=True)
    assert reply.decide(WRITE.key, allowed=allowed)
    assert reply.decide(WRITE.key, allowed=not allowed)
    assert (await anext(updates)).approval is None
    assert await decision is allowed
    assert not reply.decide(WRITE.key, allowed=True)


async def test_no_answer_in_time_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reply_module, "APPROVAL_SECONDS", 0)
    reply = new_reply()
    assert not await reply.ask(WRITE)
    assert reply.approval is None
