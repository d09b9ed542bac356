"""What Discord refuses has a next best."""

import asyncio

import pytest

from tests.doubles.discord import Modal
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


@pytest.mark.parametrize(("code", "status"), [(160002, 403), (160002, 400), (50035, 400)])
async def test_a_reply_that_is_refused_is_a_plain_message(
    scene: Scene, code: int, status: int
) -> None:
    scene.discord.fail("POST", "/messages$", code, status=status)
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


async def test_an_answer_whose_message_is_gone_goes_on_in_a_new_one(scene: Scene) -> None:
    go_on = asyncio.Event()
    scene.script(Say("One "), Wait(go_on), Say("two."))
    question = scene.ann.say(scene.general, "@bot hi")
    message = await scene.general.next_message()
    await scene.discord.until(lambda: message.text.startswith("One"))
    gone = scene.discord.fail("PATCH", f"/messages/{message.id}", 10008, times=9)
    go_on.set()
    answer = await scene.answer_to(question)
    assert answer is not message
    assert answer.text.startswith("One two.")
    assert len(gone.calls) == 1
    assert (await scene.ask("still there?")).text.startswith("Hello there.")


async def test_an_answer_that_somebody_deletes_ends_and_does_not_come_back(scene: Scene) -> None:
    scene.script(Say("One "), Wait(asyncio.Event()))
    scene.ann.say(scene.general, "@bot hi")
    message = await scene.general.next_message()
    await scene.discord.until(lambda: message.text.startswith("One"))
    scene.guild.member("Mo", "manage_messages").delete(message)
    await scene.inference.cancelled.wait()
    assert (await scene.ask("still there?")).text.startswith("Hello there.")
    assert len(scene.general.from_bot) == 1


@pytest.mark.parametrize("code", [10003, 50001])
async def test_where_nothing_can_be_said_the_asker_is_told_in_private(
    scene: Scene, code: int
) -> None:
    scene.script(Say("One "), Wait(asyncio.Event()))
    scene.ann.say(scene.general, "@bot hi")
    message = await scene.general.next_message()
    await scene.discord.until(lambda: message.text.startswith("One"))
    channel = f"/channels/{scene.general.id}/messages"
    for method in ("PATCH", "POST"):
        scene.discord.fail(method, channel, code, times=99)
    await scene.ann.click(message, "Stop").acknowledged()
    told = await scene.discord.until(lambda: next(iter(scene.ann.dms.from_bot), None))
    assert "I can't answer in #general" in told.text


async def test_a_line_whose_question_is_gone_is_said_without_a_reply(scene: Scene) -> None:
    scene.discord.fail("POST", "/messages$", 50035)
    scene.ann.say(scene.general, "@bot /effort")
    line = await scene.general.next_message()
    assert line.reference is None
    assert "level" in line.text


async def test_a_press_that_another_process_acknowledged_first_is_left_to_it(scene: Scene) -> None:
    answer = await scene.ask("hi")
    scene.discord.fail("POST", "/callback$", 40060)
    scene.ann.click(answer, "Regenerate")
    await scene.bot.err.see("acknowledged elsewhere, or too late")
    assert len(scene.inference.requests) == 1


async def test_a_form_that_comes_too_late_takes_nothing_of_the_quota(running: Running) -> None:
    async with running(quotas={"user": {"requests": 1}}) as scene:
        said = scene.ben.say(scene.general, "E = mc²")
        form = await scene.ann.use(said, "Ask about this").response
        assert isinstance(form, Modal)
        scene.discord.fail("POST", "/callback$", 10062)
        scene.ann.submit(form, {"Your question": "Why?"})
        await scene.bot.err.see("acknowledged elsewhere, or too late")
        assert (await scene.ask("hi")).text.startswith("Hello there.")
