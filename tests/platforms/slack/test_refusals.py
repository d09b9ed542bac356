"""What Slack refuses has a next best, and whoever asked is told."""

import asyncio

import pytest

from bot.platforms.slack import interactions
from tests.doubles.inference import Say, Wait
from tests.doubles.slack import Message
from tests.doubles.slack.calls import Call
from tests.platforms.slack.conftest import Scene

RULE = "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text]"


def has_blocks(call: Call) -> bool:
    return bool(call.arguments.get("blocks"))


def refuse_blocks(scene: Scene, *methods: str, error: str = "invalid_blocks") -> None:
    for method in methods:
        more = {"response_metadata": {"messages": [RULE]}}
        scene.slack.fail(method, error, times=None, when=has_blocks, **more)


def refuse(scene: Scene, error: str, *methods: str) -> None:
    for method in methods:
        scene.slack.fail(method, error, times=None)


def shown(question: Message) -> str:
    return "\n".join(message.text for message in question.replies)


async def nothing_stays(scene: Scene, question: Message) -> None:
    await scene.slack.until(lambda: scene.general.status(question) == "")
    await scene.slack.until(lambda: scene.general.session(question) != "processing")


# Blocks


@pytest.mark.parametrize(
    "error",
    [
        "invalid_blocks",
        "invalid_blocks_format",
        "msg_blocks_too_long",
        "msg_too_long",
        "block_mismatch",
    ],
)
async def test_an_answer_whose_blocks_are_refused_is_text(scene: Scene, error: str) -> None:
    refuse(scene, "unknown_method", "chat.startStream")
    refuse_blocks(scene, "chat.postMessage", "chat.update", error=error)
    scene.script(Say("Low water is at <05:26>."))
    question = scene.ann.say(scene.general, "@bot when?")
    await scene.slack.until(lambda: "medium · " in shown(question))
    assert "Low water is at <05:26>." in shown(question)
    assert "Mention me with /bot-stop, /bot-regenerate" in shown(question)
    assert [message.blocks for message in question.replies] == [[]]
    await nothing_stays(scene, question)
    assert RULE in scene.bot.err.text
    assert "05:26" not in scene.bot.err.text


async def test_own_lines_of_an_answer_in_text_are_no_part_of_the_conversation(
    scene: Scene,
) -> None:
    refuse(scene, "unknown_method", "chat.startStream")
    refuse_blocks(scene, "chat.postMessage", "chat.update")
    question = scene.ann.say(scene.general, "@bot one")
    await scene.slack.until(lambda: "medium · " in shown(question))
    scene.ann.say(scene.general, "two", thread=question)
    await scene.slack.until(lambda: len(scene.inference.requests) == 2)
    said = [m["content"] for m in scene.last_prompt()[1:]]
    assert said == ["one", "Hello there.", "two"]


async def test_a_long_answer_in_text_is_shown_whole(scene: Scene) -> None:
    refuse(scene, "unknown_method", "chat.startStream")
    refuse_blocks(scene, "chat.postMessage", "chat.update")
    words = [f"word{at}<" for at in range(1500)]
    scene.script(Say(" ".join(words)))
    question = scene.ann.say(scene.general, "@bot hi")
    await scene.slack.until(lambda: "medium · " in shown(question))
    assert [word for word in shown(question).split() if word.startswith("word")] == words


async def test_a_stream_whose_last_blocks_are_refused_loses_no_text(scene: Scene) -> None:
    refuse_blocks(scene, "chat.stopStream", "chat.update", "chat.postMessage")
    question = scene.ann.say(scene.general, "@bot hi")
    await scene.slack.until(lambda: "medium · " in shown(question))
    assert shown(question).startswith("Hello there.")
    await nothing_stays(scene, question)


async def test_a_commands_answer_whose_blocks_are_refused_is_text(scene: Scene) -> None:
    refuse_blocks(scene, "chat.postMessage", "chat.postEphemeral")
    question = scene.ann.say(scene.general, "@bot /settings")
    assert "*Persona: default*" in await scene.told(question)
    question = scene.ben.say(scene.general, "@bot")
    assert "What would you like to know" in await scene.told(question)


async def test_a_home_tab_whose_blocks_are_refused_is_text(scene: Scene) -> None:
    scene.slack.fail("views.publish", "invalid_arguments")
    scene.ann.open_home()
    await scene.slack.until(lambda: scene.ann.home)
    assert scene.ann.home is not None
    assert [block["type"] for block in scene.ann.home.blocks] == ["section"]


async def test_a_form_that_is_refused_is_told_privately(scene: Scene) -> None:
    scene.slack.fail("views.open", "invalid_arguments")
    ada = scene.team.member("Ada", admin=True)
    await ada.slash(scene.general, "/persona create").acknowledged()
    await scene.slack.until(lambda: ada.ephemerals)
    assert "/persona create" in ada.ephemerals[0].text


# Edits and streams


@pytest.mark.parametrize("error", ["edit_window_closed", "cant_update_message"])
async def test_what_an_edit_should_have_shown_follows_in_a_further_message(
    scene: Scene, error: str
) -> None:
    refuse(scene, error, "chat.update")
    refuse(scene, "message_not_in_streaming_state", "chat.appendStream", "chat.stopStream")
    go_on = asyncio.Event()
    scene.script(Say("One "), Wait(go_on), Say("two "), Say("three."))
    question = scene.ann.say(scene.general, "@bot hi")
    first = await scene.general.next_message()
    await scene.slack.until(lambda: first.text.startswith("One"))
    go_on.set()
    answer = await scene.answer_to(question)
    assert question.replies == [first, answer]
    assert first.text.strip() == "One"
    assert answer.text.startswith("two three.")
    assert "medium · " in answer.text
    assert answer.buttons[0] == "Regenerate"
    await nothing_stays(scene, question)


async def test_code_goes_on_as_code_after_an_edit_that_is_refused(scene: Scene) -> None:
    refuse(scene, "edit_window_closed", "chat.update")
    refuse(scene, "message_not_in_streaming_state", "chat.appendStream", "chat.stopStream")
    go_on = asyncio.Event()
    scene.script(Say("```py\nx = 1\n"), Wait(go_on), Say("y = 2\n"), Say("```\nDone."))
    question = scene.ann.say(scene.general, "@bot hi")
    first = await scene.general.next_message()
    await scene.slack.until(lambda: "x = 1" in first.text)
    go_on.set()
    answer = await scene.answer_to(question)
    assert answer.text.startswith("```py\ny = 2\n```\nDone.")


async def test_a_stop_button_that_could_not_be_taken_away_says_that_there_is_nothing_to_stop(
    scene: Scene,
) -> None:
    scene.slack.app.is_agent = False
    refuse(scene, "unknown_method", "chat.startStream")
    refuse(scene, "edit_window_closed", "chat.update")
    question = scene.ann.say(scene.general, "@bot hi")
    answer = await scene.answer_to(question)
    assert answer.text.startswith("Hello there.")
    first = question.replies[0]
    assert first.buttons == ["Stop"]
    await scene.ann.click(first, "Stop").acknowledged()
    await scene.slack.until(lambda: scene.ann.ephemerals)
    assert "I'm not writing an answer for you" in scene.ann.ephemerals[0].text


async def test_an_answer_whose_message_is_not_found_is_shown_whole_in_another(
    scene: Scene,
) -> None:
    refuse(scene, "message_not_found", "chat.update", "chat.appendStream", "chat.stopStream")
    go_on = asyncio.Event()
    scene.script(Say("One "), Wait(go_on), Say("two."))
    question = scene.ann.say(scene.general, "@bot hi")
    await scene.general.next_message()
    go_on.set()
    answer = await scene.answer_to(question)
    assert answer.text.startswith("One two.")


async def test_a_stream_that_is_refused_at_its_end_keeps_buttons_and_footer(scene: Scene) -> None:
    scene.slack.fail("chat.stopStream", "message_not_in_streaming_state", times=None)
    scene.slack.stream_life = 0.0
    answer = await scene.ask("hi")
    assert answer.text.startswith("Hello there.")
    assert "medium · " in answer.text
    assert answer.buttons == ["Regenerate", "Try harder", "Delete", "👍", "👎"]


async def test_an_answer_that_somebody_deleted_while_it_came_does_not_come_back(
    scene: Scene,
) -> None:
    go_on = asyncio.Event()
    scene.script(Say("One "), Wait(go_on), Say("two "), Wait(asyncio.Event()))
    question = scene.ann.say(scene.general, "@bot hi")
    message = await scene.general.next_message()
    go_on.set()
    await scene.slack.until(lambda: "two" in message.text)
    scene.slack.erase(message)
    await scene.inference.cancelled.wait()
    await nothing_stays(scene, question)
    await scene.ask("next")
    assert question.replies == []


# Places


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("restricted_action_read_only_channel", "ask an admin"),
        ("restricted_action", "ask an admin"),
        ("invalid_blocks", "ask an admin"),  # of a text too
        ("is_archived", "archived"),
        ("not_in_channel", "to add me"),
        ("channel_not_found", "to add me"),
    ],
)
async def test_where_the_bot_may_not_post_the_asker_is_told_and_the_model_is_left_alone(
    scene: Scene, error: str, told: str
) -> None:
    refuse(scene, error, "chat.startStream", "chat.postMessage", "chat.update")
    scene.script(Say("One "), Wait(asyncio.Event()))
    question = scene.ann.say(scene.general, "@bot shall we sail?")
    await scene.slack.until(lambda: scene.ann.ephemerals)
    assert told in scene.ann.ephemerals[0].text
    await scene.inference.cancelled.wait()
    await nothing_stays(scene, question)


async def test_who_can_not_be_told_in_the_channel_is_told_in_a_direct_message(
    scene: Scene,
) -> None:
    here = scene.general.id
    for method in ("chat.startStream", "chat.postMessage", "chat.postEphemeral"):
        scene.slack.fail(
            method, "not_in_channel", times=None, when=lambda call: call.get("channel") == here
        )
    question = scene.ann.say(scene.general, "@bot shall we sail?")
    told = await scene.ann.dms.next_message()
    assert "to add me" in told.text
    await nothing_stays(scene, question)


async def test_a_line_that_can_not_be_posted_is_told_privately(scene: Scene) -> None:
    refuse(scene, "restricted_action", "chat.postMessage")
    scene.ann.say(scene.general, "@bot")
    await scene.slack.until(lambda: scene.ann.ephemerals)
    assert "What would you like to know" in scene.ann.ephemerals[0].text


# Commands and forms


@pytest.mark.parametrize("status", ["500", "502", "503"])
async def test_a_commands_answer_is_shown_after_another_try(scene: Scene, status: str) -> None:
    fault = scene.slack.fail("response_url", status)
    response = await scene.ann.slash(scene.general, "/settings").response
    assert "persona" in response.text  # type: ignore[union-attr]
    assert fault.struck == 1


@pytest.mark.parametrize("status", ["404", "410", "500"])
async def test_where_its_address_fails_a_commands_answer_is_seen_by_its_person_only(
    scene: Scene, status: str
) -> None:
    scene.slack.fail("response_url", status, times=None)
    await scene.ann.slash(scene.general, "/privacy").acknowledged()
    await scene.slack.until(lambda: scene.ann.ephemerals)
    assert "neither stored nor logged" in scene.ann.ephemerals[0].text
    assert scene.general.from_bot == []


@pytest.mark.parametrize("error", ["expired_trigger_id", "exchanged_trigger_id"])
async def test_a_form_that_opens_too_late_can_be_opened_by_a_button(
    scene: Scene, error: str
) -> None:
    scene.slack.fail("views.open", error)
    ada = scene.team.member("Ada", admin=True)
    await ada.slash(scene.general, "/persona create").acknowledged()
    await scene.slack.until(lambda: ada.ephemerals)
    told = ada.ephemerals[0]
    assert "/persona create" in told.text
    lines = [line for line in scene.bot.err.text.splitlines() if error in line]
    assert len(lines) == 1
    form = await ada.click(told, "Open the form").response
    assert list(form.inputs)  # type: ignore[union-attr]


async def test_a_form_that_slack_does_not_open_in_time_can_be_opened_by_a_button(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interactions, "OPEN_SECONDS", 0.05)
    scene.slack.fail("views.open", "ratelimited", retry_after=600)
    ada = scene.team.member("Ada", admin=True)
    await ada.slash(scene.general, "/persona create").acknowledged()
    await scene.slack.until(lambda: ada.ephemerals)
    assert ada.ephemerals[0].buttons == ["Open the form"]
