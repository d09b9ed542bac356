"""Questions on Slack and their answers, by Socket Mode and by HTTP."""

import asyncio
from typing import Any

import pytest

from bot.platforms.slack import messages
from tests.doubles.inference import Error, Queue, Say, Wait
from tests.doubles.slack import Channel, SlackDouble, Workspace
from tests.doubles.slack.calls import Call
from tests.platforms.slack.conftest import Running, Scene, ended


def reads(scene: Scene) -> list[Call]:
    """The answered reads of a thread."""
    done = [call for call in scene.slack.requests if call.status == 200]
    return [call for call in done if call.method == "conversations.replies"]


async def test_a_mention_is_answered_in_its_thread(either: Scene) -> None:
    question = either.ann.say(either.general, "@bot hi")
    answer = await either.answer_to(question)
    assert answer.text.startswith("Hello there.")
    assert answer.thread is question
    assert either.general.from_bot == [answer]


async def test_a_message_to_others_is_not_answered(either: Scene) -> None:
    either.ann.say(either.general, "hello all")
    await either.ask("hi")
    assert len(either.inference.requests) == 1


async def test_a_direct_message_is_answered_without_a_mention(either: Scene) -> None:
    answer = await either.answer_to(either.ann.dm("hi"))
    assert answer.text.startswith("Hello there.")


async def test_further_messages_of_its_thread_are_answered_without_a_mention(
    either: Scene,
) -> None:
    question = either.ann.say(either.general, "@bot one")
    await either.answer_to(question)
    await either.answer_to(either.ann.say(either.general, "two", thread=question))
    said = [(m["role"], m["content"]) for m in either.last_prompt()[1:]]
    assert said == [("user", "one"), ("assistant", "Hello there."), ("user", "two")]


async def test_people_in_a_thread_are_told_apart_by_their_names(either: Scene) -> None:
    question = either.ann.say(either.general, "@bot I like tea.")
    await either.answer_to(question)
    await either.answer_to(either.ben.say(either.general, "And I coffee.", thread=question))
    assert "Ben" in either.last_prompt()[-1]["content"]


async def test_the_status_shows_the_place_in_the_queue_and_is_cleared(either: Scene) -> None:
    go_on = asyncio.Event()
    either.script(Queue(3, 20.0), Wait(go_on), Say("Done."))
    question = either.ann.say(either.general, "@bot hi")
    await either.slack.until(lambda: "third in line" in either.general.status(question))
    go_on.set()
    await either.answer_to(question)
    await either.slack.until(lambda: either.general.status(question) == "")


async def test_the_status_says_that_it_thinks(scene: Scene) -> None:
    go_on = asyncio.Event()
    scene.script(Say(reasoning="Hm."), Wait(go_on), Say("Done."))
    question = scene.ann.say(scene.general, "@bot hi")
    await scene.slack.until(lambda: scene.general.status(question) == "is thinking…")
    go_on.set()
    await scene.answer_to(question)


async def test_the_status_is_cleared_when_there_is_no_answer(scene: Scene) -> None:
    scene.script(Error(500))
    question = scene.ann.say(scene.general, "@bot hi")
    assert "Something went wrong" in await scene.told(question)
    await scene.slack.until(lambda: scene.general.status(question) == "")
    await scene.slack.until(lambda: scene.general.session(question) == "active")


async def test_a_status_that_slack_does_not_clear_at_once_is_cleared_again(scene: Scene) -> None:
    fault = scene.slack.fail(
        "assistant.threads.setStatus", "503", when=lambda call: not call.get("status")
    )
    scene.slack.fail(
        "agents.sessions.setStatus", "500", when=lambda call: call.get("status") == "active"
    )
    scene.slack.fail("chat.stopStream", "message_not_in_streaming_state")
    question = scene.ann.say(scene.general, "@bot hi")
    await scene.slack.until(lambda: fault.struck)
    await scene.slack.until(lambda: scene.general.status(question) == "")
    await scene.slack.until(lambda: scene.general.session(question) == "active")


async def test_the_status_goes_with_a_question_that_is_deleted_while_it_waits(
    scene: Scene,
) -> None:
    scene.script(Queue(3, 20.0), Wait(asyncio.Event()))
    begun = scene.ben.say(scene.general, "What a day")
    question = scene.ann.say(scene.general, "@bot why?", thread=begun)
    await scene.slack.until(lambda: "third in line" in scene.general.status(question))
    scene.ann.delete(question)
    await scene.inference.cancelled.wait()
    await scene.slack.until(lambda: scene.general.status(question) == "")


async def test_who_is_refused_for_load_is_told_when_to_try_again(either: Scene) -> None:
    either.script(Error(429, "queue_full", headers={"Retry-After": "120"}))
    question = either.ann.say(either.general, "@bot hi")
    refused = await either.answer_to(question)
    assert "Too many people are asking right now. Please try again in 2 min." in refused.text
    assert refused.thread is question
    assert either.general.from_bot == [refused]
    assert len(either.inference.requests) == 1


async def test_reasoning_is_not_shown_unless_wanted(scene: Scene) -> None:
    scene.script(Say(reasoning="secret thoughts"), Say("Done."))
    answer = await scene.ask("hi")
    assert answer.tasks == {}
    assert "secret thoughts" not in answer.text


async def test_wanted_reasoning_is_a_task_and_no_part_of_the_conversation(
    running: Running,
) -> None:
    async with running(defaults={"show_reasoning": True}) as scene:
        go_on = asyncio.Event()
        scene.script(Say(reasoning="Let me see."), Wait(go_on), Say("Done."))
        question = scene.ann.say(scene.general, "@bot hi")
        message = await scene.general.next_message()
        await scene.slack.until(lambda: message.tasks)
        (task,) = message.tasks.values()
        assert task["status"] == "in_progress"
        go_on.set()
        answer = await scene.answer_to(question)
        (task,) = answer.tasks.values()
        assert task["status"] == "complete"
        assert "Let me see." in task["details"]
        await scene.answer_to(scene.ann.say(scene.general, "go on", thread=question))
        assert "Let me see." not in str(scene.last_prompt())


async def test_own_lines_are_no_part_of_the_conversation(scene: Scene) -> None:
    question = scene.ann.say(scene.general, "@bot one")
    await scene.answer_to(question)
    scene.ann.say(scene.general, "@bot /effort low", thread=question)
    await scene.slack.until(lambda: "Effort is now" in _seen_last(scene))
    await scene.answer_to(scene.ann.say(scene.general, "two", thread=question))
    prompt = str(scene.last_prompt())
    assert " · " not in prompt
    assert "Effort is now" not in prompt


async def test_what_only_concerns_its_author_is_seen_by_nobody_else(either: Scene) -> None:
    question = either.ann.say(either.general, "@bot one")
    await either.answer_to(question)
    for line, told in (
        ("/status", "Model: scripted"),
        ("/efort high", "Did you mean"),
        ("/effort highest", "highest"),
        ("/effort high server", "Only administrators"),
    ):
        either.ann.say(either.general, f"@bot {line}", thread=question)
        await either.slack.until(lambda told=told: told in _seen_last(either))
    assert [m for m in either.general.from_bot if m.ts > question.ts] == question.replies[:1]
    assert {m.thread for m in either.ann.ephemerals} == {question}


def _seen_last(scene: Scene) -> str:
    """What Ann was last shown in private."""
    return scene.ann.ephemerals[-1].text if scene.ann.ephemerals else ""


async def test_a_long_private_answer_is_private_in_all_its_parts(running: Running) -> None:
    prompt = "berth &&&&&&&&&& " * 450
    async with running(personas={"long": {"prompt": prompt}}) as scene:
        scene.ann.say(scene.general, "@bot /persona show long")
        await scene.slack.until(lambda: len(scene.ann.ephemerals) > 1)
        await scene.slack.until(lambda: _shown_privately(scene).count("berth") == 450)
        assert scene.general.from_bot == []
        await scene.ann.slash(scene.general, "/persona show long").acknowledged()
        await scene.slack.until(lambda: _shown_privately(scene).count("berth") == 900)
        assert scene.general.from_bot == []


def _shown_privately(scene: Scene) -> str:
    return "\n".join(message.text for message in scene.ann.ephemerals)


async def test_references_and_entities_are_read_as_people_see_them(scene: Scene) -> None:
    await scene.ask("tell @Ben that 1 < 2 & see https://example.org in #general")
    asked = scene.last_prompt()[-1]["content"]
    assert "tell @Ben that 1 < 2 & see https://example.org in" in asked


async def test_nothing_that_the_model_writes_pings_or_links(scene: Scene) -> None:
    bad = f"<!channel> <@{scene.ben.id}> <https://evil.example|click> <!here> &lt;!channel&gt;"
    scene.script(Say(bad))
    answer = await scene.ask("hi")
    assert answer.pings == set()
    assert bad in answer.text


async def test_a_text_file_is_read(scene: Scene) -> None:
    await scene.ask("read this", files={"notes.txt": b"The code is 4711."})
    assert "The code is 4711." in scene.last_prompt()[-1]["content"]


async def test_a_file_that_is_no_text_is_refused_kindly(scene: Scene) -> None:
    answer = await scene.ask("read this", files={"photo.raw": b"\xff\xd8\0\1"})
    assert "can't read photo.raw" in answer.text


async def test_a_long_answer_goes_on_in_further_messages_and_loses_nothing(scene: Scene) -> None:
    words = [f"word{at}" for at in range(2500)]
    scene.script(Say(" ".join(words)))
    question = scene.ann.say(scene.general, "@bot hi")
    await scene.answer_to(question)
    shown = " ".join(m.text.split("medium · ")[0] for m in question.replies)
    assert [word for word in shown.split() if word.startswith("word")] == words
    assert len(question.replies) > 1


async def test_an_edited_question_is_answered_again_in_place(either: Scene) -> None:
    question = either.ann.say(either.general, "@bot one")
    answer = await either.answer_to(question)
    either.script(Say("Two."))
    either.ann.edit(question, "@bot two")
    await either.slack.until(lambda: answer.text.startswith("Two.") and ended(answer))
    assert question.replies == [answer]
    assert either.last_prompt()[-1]["content"] == "two"


async def test_an_edit_right_after_a_question_makes_one_answer_to_what_it_says_now(
    either: Scene,
) -> None:
    question = either.ann.say(either.general, "@bot old")
    either.ann.edit(question, "@bot new")
    answer = await either.answer_to(question)
    await either.ask("next")
    await either.slack.until(lambda: ended(answer))
    asked = [prompt[-1]["content"] for prompt in either.inference.prompts]
    assert [text for text in asked if "next" not in text][-1] == "new"
    assert question.replies == [answer]


async def test_a_preview_that_slack_adds_to_a_question_changes_nothing(scene: Scene) -> None:
    question = scene.ann.say(scene.general, "@bot see https://example.org")
    await scene.answer_to(question)
    scene.slack.unfurl(question)
    await scene.ask("next")
    assert len(scene.inference.requests) == 2


async def test_a_deleted_question_stops_generation_and_takes_the_answer_away(
    either: Scene,
) -> None:
    either.script(Say("One "), Wait(asyncio.Event()))
    question = either.ann.say(either.general, "@bot hi")
    answer = await either.general.next_message()
    either.ann.delete(question)
    await either.inference.cancelled.wait()
    await either.slack.until(lambda: answer.deleted)


async def test_a_mention_without_a_question_says_how_to_ask(scene: Scene) -> None:
    assert "What would you like to know" in await scene.told(scene.ann.say(scene.general, "@bot"))


async def test_a_thread_of_others_is_left_alone(scene: Scene) -> None:
    begun = scene.ann.say(scene.general, "just us")
    scene.ben.say(scene.general, "yes", thread=begun)
    await scene.ask("hi")
    assert begun.replies[0].author is scene.ben
    assert len(begun.replies) == 1


async def test_where_set_so_a_thread_needs_a_mention_each_time(running: Running) -> None:
    async with running(slack={"thread_mentions": True}) as scene:
        question = scene.ann.say(scene.general, "@bot one")
        await scene.answer_to(question)
        scene.ann.say(scene.general, "not for you", thread=question)
        await scene.ask("two", thread=question)
        assert len(scene.inference.requests) == 2
        assert "not for you" in str(scene.last_prompt())


async def test_every_message_of_a_channel_is_answered_where_set_so(running: Running) -> None:
    def always(double: SlackDouble, team: Workspace, general: Channel) -> dict[str, Any]:
        return {"servers": {team.id: {"channels": {general.id: {"answer": "always"}}}}}

    async with running(prepare=always) as scene:
        answer = await scene.answer_to(scene.ann.say(scene.general, "no mention"))
        assert answer.text.startswith("Hello there.")


async def test_a_channel_has_its_own_persona_from_the_file(running: Running) -> None:
    def riddles(double: SlackDouble, team: Workspace, general: Channel) -> dict[str, Any]:
        return {"servers": {team.id: {"channels": {general.id: {"persona": "riddles"}}}}}

    async with running(prepare=riddles) as scene:
        await scene.ask("hi")
        assert scene.last_prompt()[0]["content"].startswith("Always respond in riddles")


async def test_a_long_thread_is_read_page_by_page(scene: Scene) -> None:
    scene.slack.conversations.page = 3
    begun = scene.ann.say(scene.general, "Number 0")
    for at in range(1, 8):
        scene.ann.say(scene.general, f"Number {at}", thread=begun)
    await scene.ask("how many?", thread=begun)
    prompt = str(scene.last_prompt())
    assert [at for at in range(8) if f"Number {at}" in prompt] == list(range(8))


async def test_what_was_said_before_the_mention_is_not_answered_however_late_it_comes(
    scene: Scene,
) -> None:
    begun = scene.ann.say(scene.general, "What a day")
    late = scene.ben.say(scene.general, "Indeed", thread=begun)
    await scene.ask("why?", thread=begun)
    scene.slack.repeat(late)
    await scene.ask("and now?", thread=begun)
    asked = [prompt[-1]["content"].splitlines()[-1] for prompt in scene.inference.prompts]
    assert asked == ["why?", "and now?"]


async def test_what_others_say_costs_no_call(scene: Scene) -> None:
    begun = scene.ann.say(scene.general, "just us")
    await scene.ask("hi")
    before = len(scene.slack.requests)
    for at in range(8):
        scene.ben.say(scene.general, f"bystander {at}", thread=begun)
    await scene.slack.until(lambda: scene.slack.delivery.settled)
    asked = {call.method for call in scene.slack.requests[before:]}
    assert not asked - {"assistant.threads.setStatus", "agents.sessions.setStatus"}  # of the answer
    assert len(scene.inference.requests) == 1


async def test_an_empty_page_of_a_thread_costs_no_answer(scene: Scene) -> None:
    begun = scene.ann.say(scene.general, "What a day")
    scene.slack.conversations.empty = True
    assert (await scene.ask("why?", thread=begun)).text.startswith("Hello there.")


@pytest.mark.parametrize("error", ["thread_not_found", "missing_scope", "not_in_channel"])
async def test_a_thread_that_can_not_be_read_costs_no_answer(scene: Scene, error: str) -> None:
    begun = scene.ann.say(scene.general, "What a day")
    scene.slack.fail("conversations.replies", error)
    answer = await scene.ask("why?", thread=begun)
    assert answer.text.startswith("Hello there.")
    assert "I can't read what was said before." in answer.text


async def test_what_is_not_read_in_time_is_left_out_and_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "HISTORY_SECONDS", 0.05)
    begun = scene.ann.say(scene.general, "What a day")
    scene.slack.fail("conversations.replies", "ratelimited", retry_after=600, times=None)
    answer = await scene.ask("why?", thread=begun)
    assert answer.text.startswith("Hello there.")
    assert "in time" in answer.text


async def test_an_answer_that_grows_when_it_is_escaped_is_shown_whole(scene: Scene) -> None:
    text = "x &lt; y &amp;&amp; y &gt; z; " * 496 + "FIN"
    scene.script(*[Say(text[at : at + 600]) for at in range(0, len(text), 600)])
    question = scene.ann.say(scene.general, "@bot show the whole table")
    answer = await scene.answer_to(question)
    shown = " ".join(m.text.split("medium · ")[0] for m in question.replies)
    assert "".join(shown.split()) == "".join(text.split())
    assert answer.buttons[0] == "Regenerate"
    refused = [c.error for c in scene.slack.requests if c.error]
    assert refused == []


async def test_a_group_direct_message_is_answered_in_its_thread(scene: Scene) -> None:
    group = scene.team.group_direct(scene.ann, scene.ben)
    question = scene.ann.say(group, "@bot split the bill for us")
    await scene.answer_to(question)
    follow_up = scene.ben.say(group, "and with a tip?", thread=question)
    answer = await scene.answer_to(follow_up)
    assert answer.thread is question
    assert "and with a tip?" in scene.last_prompt()[-1]["content"]


async def test_of_a_known_thread_only_what_is_new_is_read(scene: Scene) -> None:
    question = scene.ann.say(scene.general, "@bot one")
    await scene.answer_to(question)
    for at in range(3):
        await scene.answer_to(scene.ann.say(scene.general, f"more {at}", thread=question))
    assert reads(scene)[-1].get("oldest") > question.ts


async def test_an_agents_pane_proposes_what_the_persona_proposes(running: Running) -> None:
    personas = {"default": {"prompt": "Help.", "suggestions": ["What can you do?"]}}
    async with running(personas=personas) as scene:
        pane = scene.ann.open_agent_pane()
        await scene.slack.until(lambda: pane.prompts)
        assert pane.prompts[0]["message"] == "What can you do?"


async def test_a_conversation_with_the_agent_gets_a_title(scene: Scene) -> None:
    question = scene.ann.dm("How do tides work?")
    await scene.answer_to(question)
    await scene.slack.until(lambda: scene.ann.dms.titles.get(question.ts))
    assert scene.ann.dms.titles[question.ts] == "How do tides work?"
