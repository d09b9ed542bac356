"""How a view sees a reply change."""

import asyncio

from bot.config import Effort
from bot.conversation.reply import Reply, ReplyState


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
