"""What Discord refuses has a next best."""

import asyncio

import pytest

from tests.doubles.inference import Say, Wait
from tests.platforms.discord.conftest import Running, Scene


@pytest.mark.parametrize("code", [160005, 160006, 160007, 50001, 50013, 50024])
async def test_where_a_thread_is_refused_the_answer_stands_in_the_channel(
    running: Running, code: int
) -> None:
    async with running(defaults={"answer": "thread"}) as scene:
        scene.discord.fail("POST", "/threads$", code)
        question = scene.ann.say(scene.general, "@bot hi")
        answer = await scene.answer_to(question)
        assert answer.channel is scene.general
        assert answer.text.startswith("Hello there.")


async def test_a_thread_that_exists_is_answered_in(running: Running) -> None:
    async with running(defaults={"answer": "thread"}) as scene:
        scene.discord.fail("POST", "/threads$", 160004, done_first=True)
        question = scene.ann.say(scene.general, "@bot hi")
        answer = await scene.answer_to(question)
        assert answer.channel is question.thread


async def test_a_reply_that_is_refused_is_a_plain_message(scene: Scene) -> None:
    scene.discord.fail("POST", "/messages$", 160002)
    question = scene.ann.say(scene.general, "@bot hi")
    answer = await scene.answer_to(question)
    assert answer.text.startswith("Hello there.")
    assert answer.reference is None


@pytest.mark.parametrize("code", [30046, 50013, 50083])
async def test_an_edit_that_is_refused_is_said_in_a_new_message(scene: Scene, code: int) -> None:
    go_on = asyncio.Event()
    scene.script(Say("One "), Wait(go_on), Say("two."))
    question = scene.ann.say(scene.general, "@bot hi")
    first = await scene.general.next_message()
    await scene.discord.until(lambda: first.text.startswith("One"))
    scene.discord.fail("PATCH", f"/messages/{first.id}", code, times=9)
    go_on.set()
    answer = await scene.answer_to(question)
    assert answer is not first
    assert answer.text.startswith("One two.")


async def test_a_deleted_answer_ends_the_request_and_is_edited_no_more(scene: Scene) -> None:
    go_on = asyncio.Event()
    scene.script(Say("One "), Wait(go_on), Say("two."))
    scene.ann.say(scene.general, "@bot hi")
    message = await scene.general.next_message()
    await scene.discord.until(lambda: message.text.startswith("One"))
    gone = scene.discord.fail("PATCH", f"/messages/{message.id}", 10008, times=9)
    scene.inference.default = [Say("Hello there.")]
    go_on.set()
    await scene.discord.until(lambda: gone.calls)
    assert (await scene.ask("still there?")).text.startswith("Hello there.")
    assert len(gone.calls) == 1
    assert len(scene.general.from_bot) == 2
