"""How answers appear: streams, and what happens where Slack has none."""

import asyncio

import pytest

from bot.platforms.slack import sending
from tests.doubles.inference import Say, Wait
from tests.platforms.slack.conftest import Running, Scene, ended


async def test_text_appears_while_it_is_written(scene: Scene) -> None:
    go_on = asyncio.Event()
    scene.script(Say("One "), Wait(go_on), Say("two."))
    question = scene.ann.say(scene.general, "@bot hi")
    message = await scene.general.next_message()
    await scene.slack.until(lambda: message.text.startswith("One"))
    assert message.streaming
    go_on.set()
    answer = await scene.answer_to(question)
    assert answer is message
    assert answer.text.startswith("One two.")
    assert not answer.streaming


async def test_an_answer_is_shown_no_more_once_another_takes_its_place(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sending.CALLS, "chat.appendStream", (1, 1e6))
    go_on = asyncio.Event()
    scene.script(Say("One "), Wait(go_on), Say("two "), Wait(asyncio.Event()))
    question = scene.ann.say(scene.general, "@bot old")
    message = await scene.general.next_message()
    await scene.slack.until(lambda: message.text.startswith("One"))
    go_on.set()
    await scene.ask("something else")  # by its end, "two" waits to be appended
    scene.ann.edit(question, "@bot new")
    assert (await scene.answer_to(question)).text.startswith("Hello there.")
    assert "chat.appendStream" not in {call.method for call in scene.slack.requests}


async def test_where_streams_are_refused_the_answer_is_edited(scene: Scene) -> None:
    scene.slack.fail("chat.startStream", "missing_scope", times=None)
    go_on = asyncio.Event()
    scene.script(Say("One "), Wait(go_on), Say("two."))
    question = scene.ann.say(scene.general, "@bot hi")
    message = await scene.general.next_message()
    await scene.slack.until(lambda: message.text.startswith("One"))
    go_on.set()
    assert (await scene.answer_to(question)).text.startswith("One two.")
    assert (await scene.ask("again")).text.startswith("Hello there.")
    starts = [c for c in scene.slack.requests if c.method == "chat.startStream"]
    assert len(starts) == 1


async def test_a_stream_that_slack_ends_goes_on_in_edits_and_loses_nothing(scene: Scene) -> None:
    go_on = asyncio.Event()
    scene.script(Say("One "), Wait(go_on), Say("two "), Say("three."))
    question = scene.ann.say(scene.general, "@bot hi")
    message = await scene.general.next_message()
    await scene.slack.until(lambda: message.text.startswith("One"))
    scene.slack.stream_life = 0.0
    go_on.set()
    answer = await scene.answer_to(question)
    assert answer.text.startswith("One two three.")
    assert question.replies == [answer]


async def test_an_error_in_mid_stream_neither_loses_nor_doubles_text(scene: Scene) -> None:
    go_on = asyncio.Event()
    scene.script(Say("One "), Wait(go_on), Say("two."))
    question = scene.ann.say(scene.general, "@bot hi")
    message = await scene.general.next_message()
    await scene.slack.until(lambda: message.text.startswith("One"))
    scene.slack.fail("chat.appendStream", "500", done_first=True)
    scene.slack.fail("chat.stopStream", "500")
    go_on.set()
    answer = await scene.answer_to(question)
    assert answer.text.startswith("One two.")
    assert question.replies == [answer]


async def test_a_message_whose_posting_seemed_to_fail_appears_once(scene: Scene) -> None:
    scene.slack.fail("chat.startStream", "missing_scope", times=None)
    scene.slack.fail("chat.postMessage", "500", done_first=True)
    question = scene.ann.say(scene.general, "@bot hi")
    answer = await scene.answer_to(question)
    assert question.replies == [answer]


async def test_where_there_is_no_native_stop_there_is_a_button(scene: Scene) -> None:
    scene.slack.app.is_agent = False
    scene.script(Say("One "), Wait(asyncio.Event()))
    question = scene.ann.say(scene.general, "@bot hi")
    message = await scene.general.next_message()
    await scene.slack.until(lambda: message.text.startswith("One"))
    await scene.ann.click(message, "Stop").acknowledged()
    await scene.inference.cancelled.wait()
    answer = await scene.answer_to(question)
    assert "Stopped." in answer.text
    assert question.replies == [answer]


async def test_the_native_stop_frees_the_engine_and_keeps_what_came(scene: Scene) -> None:
    scene.script(Say("One "), Wait(asyncio.Event()))
    question = scene.ann.say(scene.general, "@bot hi")
    message = await scene.general.next_message()
    await scene.slack.until(lambda: message.text.startswith("One"))
    scene.ann.stop(message)
    await scene.inference.cancelled.wait()
    answer = await scene.answer_to(question)
    assert answer.text.startswith("One")
    assert "Stopped." in answer.text
    await scene.slack.until(lambda: scene.general.session(question) == "active")


async def test_after_many_streams_answers_come_whole(running: Running) -> None:
    async with running(true_limits=True) as scene:
        questions = [scene.ann.say(scene.general, f"@bot {at}") for at in range(24)]
        for question in questions:
            answer = await scene.answer_to(question)
            assert answer.text.startswith("Hello there.")
            assert question.replies == [answer]
        refused = [c.method for c in scene.slack.requests if c.status == 429]
        assert refused == []


async def test_code_that_is_split_is_whole_in_both_messages(scene: Scene) -> None:
    code = "\n".join(f"line_{at} = {at}" for at in range(1200))
    scene.script(Say(f"```python\n{code}\n```"))
    question = scene.ann.say(scene.general, "@bot code")
    await scene.slack.until(lambda: any(map(ended, question.replies)))
    for message in question.replies:
        assert message.text.count("```") % 2 == 0


async def test_stop_that_is_pressed_before_the_answer_begins_holds(scene: Scene) -> None:
    scene.slack.app.is_agent = False
    scene.inference.ready = False
    question = scene.ann.say(scene.general, "@bot hi")
    message = await scene.general.next_message()
    await scene.slack.until(lambda: "Stop" in message.buttons)
    await scene.ann.click(message, "Stop").acknowledged()
    assert "Stopped." in (await scene.answer_to(question)).text
    assert scene.inference.requests == []
