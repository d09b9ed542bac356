"""Questions on Discord and their answers."""

import asyncio
from typing import Any

from tests.doubles.discord import Channel, DiscordDouble, Guild
from tests.doubles.inference import Error, Queue, Say, Wait
from tests.platforms.discord.conftest import Running, Scene, ended


async def test_a_mention_is_answered_as_a_reply(scene: Scene) -> None:
    question = scene.ann.say(scene.general, "@bot hi")
    answer = await scene.answer_to(question)
    assert answer.text.startswith("Hello there.")
    assert answer.reference is question
    assert scene.inference.prompts[0][-1] == {"role": "user", "content": "hi"}


async def test_a_message_to_others_is_not_answered(scene: Scene) -> None:
    scene.ann.say(scene.general, "hello everybody")
    await scene.ask("hi")
    assert len(scene.inference.requests) == 1


async def test_a_direct_message_is_answered_without_a_mention(scene: Scene) -> None:
    answer = await scene.answer_to(scene.ann.dm("hi"))
    assert answer.text.startswith("Hello there.")


async def test_a_reply_to_the_bot_goes_on_with_the_conversation(scene: Scene) -> None:
    first = await scene.ask("one")
    question = scene.ann.say(scene.general, "two", reply_to=first)
    await scene.answer_to(question)
    assert [m["content"] for m in scene.inference.prompts[1][1:]] == ["one", "Hello there.", "two"]


async def test_a_reply_to_an_older_answer_continues_from_there(scene: Scene) -> None:
    first = await scene.ask("one")
    await scene.answer_to(scene.ann.say(scene.general, "two", reply_to=first))
    await scene.answer_to(scene.ann.say(scene.general, "three", reply_to=first))
    said = [m["content"] for m in scene.inference.prompts[2][1:]]
    assert said == ["one", "Hello there.", "three"]


async def test_people_in_a_conversation_are_told_apart(scene: Scene) -> None:
    first = await scene.ask("one")
    await scene.answer_to(scene.ben.say(scene.general, "two", reply_to=first))
    assert "Ben says" in scene.inference.prompts[1][-1]["content"]


async def test_a_text_file_is_read(scene: Scene) -> None:
    await scene.ask("what is this?", files={"a.py": b"x = 1\n"})
    assert "```py\nx = 1\n```" in scene.inference.prompts[0][-1]["content"]


async def test_a_file_that_is_no_text_is_refused_kindly(scene: Scene) -> None:
    answer = await scene.ask("what is this?", files={"a.bin": b"\xff\xd8\x00"})
    assert "can't read a.bin" in answer.text


async def test_of_a_file_that_is_too_long_the_beginning_is_read(running: Running) -> None:
    async with running(conversation={"attachment_max_bytes": 1024}) as scene:
        answer = await scene.ask("what is this?", files={"a.txt": b"x" * 1025})
        assert "I read only the beginning of a.txt: 1 KiB" in answer.text


async def test_typing_and_a_placeholder_come_before_the_answer(scene: Scene) -> None:
    go_on = asyncio.Event()
    scene.script(Wait(go_on), Say("Done."))
    question = scene.ann.say(scene.general, "@bot hi")
    placeholder = await scene.general.next_message()
    assert "Thinking" in placeholder.text
    await scene.discord.until(lambda: scene.general.typing)
    go_on.set()
    assert (await scene.answer_to(question)) is placeholder


async def test_the_place_in_the_queue_is_shown_and_kept_current(scene: Scene) -> None:
    second, go_on = asyncio.Event(), asyncio.Event()
    scene.script(Queue(2, 40), Wait(second), Queue(1, 20), Wait(go_on), Say("Done."))
    question = scene.ann.say(scene.general, "@bot hi")
    placeholder = await scene.general.next_message()
    await scene.discord.until(lambda: "Number 2 in the queue, about 40 s" in placeholder.text)
    second.set()
    await scene.discord.until(lambda: "Number 1 in the queue, about 20 s" in placeholder.text)
    go_on.set()
    assert "queue" not in (await scene.answer_to(question)).text


async def test_who_is_refused_for_load_is_told_when_to_try_again(scene: Scene) -> None:
    scene.script(Error(429, "queue_full", headers={"Retry-After": "120"}))
    question = scene.ann.say(scene.general, "@bot hi")
    refused = await scene.answer_to(question)
    assert "Too many people are asking right now. Please try again in 2 min." in refused.text
    assert refused.reference is question
    assert scene.general.from_bot == [refused]
    assert len(scene.inference.requests) == 1


async def test_text_appears_while_it_is_written(scene: Scene) -> None:
    go_on = asyncio.Event()
    scene.script(Say("One "), Wait(go_on), Say("two."))
    question = scene.ann.say(scene.general, "@bot hi")
    message = await scene.general.next_message()
    await scene.discord.until(lambda: message.text.startswith("One"))
    assert message.buttons == ["Stop"]
    go_on.set()
    assert (await scene.answer_to(question)).text.startswith("One two.")


async def test_reasoning_is_not_shown_unless_wanted(scene: Scene) -> None:
    scene.script(Say(reasoning="Secret thought."), Say("Answer."))
    answer = await scene.ask("hi")
    assert answer.text.startswith("Answer.")
    assert answer.embeds == []


async def test_wanted_reasoning_is_under_a_spoiler_and_no_part_of_the_conversation(
    running: Running,
) -> None:
    async with running(defaults={"show_reasoning": True}) as scene:
        scene.script(Say(reasoning="A thought || here."), Say("Answer."))
        answer = await scene.ask("hi")
        [embed] = answer.embeds
        assert embed["description"] == "||A thought ││ here.||"
        await scene.answer_to(scene.ann.say(scene.general, "more", reply_to=answer))
        assert scene.inference.prompts[1][2]["content"] == "Answer."


async def test_the_bots_own_lines_are_no_part_of_the_conversation(scene: Scene) -> None:
    answer = await scene.ask("hi")
    assert "medium · " in answer.text
    await scene.answer_to(scene.ann.say(scene.general, "more", reply_to=answer))
    assert scene.inference.prompts[1][2]["content"] == "Hello there."


async def test_a_long_answer_goes_on_in_further_messages_and_loses_nothing(scene: Scene) -> None:
    words = [f"word{n}" for n in range(900)]
    scene.script(Say(" ".join(words)))
    question = scene.ann.say(scene.general, "@bot hi")
    last = await scene.answer_to(question)
    parts = scene.general.from_bot
    assert len(parts) > 2
    assert all(len(part.text) <= 2000 for part in parts)
    shown = " ".join(part.text.partition("\n-# ")[0] for part in parts)
    assert shown.split() == words
    assert [bool(part.buttons) for part in parts] == [False] * (len(parts) - 1) + [True]
    assert last is parts[-1]


async def test_all_parts_of_a_long_answer_are_in_the_conversation(scene: Scene) -> None:
    words = " ".join(f"word{n}" for n in range(500))
    scene.script(Say(words))
    last = await scene.ask("hi")
    await scene.answer_to(scene.ann.say(scene.general, "more", reply_to=last))
    assert scene.inference.prompts[1][2]["content"].split() == words.split()


async def test_a_very_long_answer_becomes_a_file_when_set_so(running: Running) -> None:
    async with running(discord={"file_above_characters": 3000}) as scene:
        text = "\n\n".join(f"Paragraph {n}." for n in range(400))
        scene.script(Say(text))
        answer = await scene.ask("hi")
        assert answer.attachments[0].text == text
        assert "The whole answer is in the file" in answer.text
        await scene.answer_to(scene.ann.say(scene.general, "more", reply_to=answer))
        assert scene.inference.prompts[1][2]["content"] == text


async def test_nobody_but_the_asker_is_pinged_whatever_the_model_writes(scene: Scene) -> None:
    mods = scene.guild.role("Mods")
    scene.general.allow("mention_everyone")
    scene.script(Say(f"@everyone @here {mods.mention} {scene.ben.mention} {scene.ann.mention}"))
    answer = await scene.ask("hi")
    assert answer.pings <= {"Ann"}


async def test_an_edited_question_is_answered_again_in_place(scene: Scene) -> None:
    question = scene.ann.say(scene.general, "@bot one")
    answer = await scene.answer_to(question)
    scene.script(Say("Another."))
    scene.ann.edit(question, "@bot two")
    await scene.discord.until(lambda: answer.text.startswith("Another.") and ended(answer))
    assert scene.inference.prompts[1][-1]["content"] == "two"
    assert scene.general.from_bot == [answer]


async def test_an_edit_right_after_a_question_makes_one_answer_to_what_it_says_now(
    scene: Scene,
) -> None:
    question = scene.ann.say(scene.general, "@bot old")
    scene.ann.edit(question, "@bot new")
    answer = await scene.answer_to(question)
    later = await scene.ask("next")
    await scene.discord.until(lambda: ended(answer))
    asked = [prompt[-1]["content"] for prompt in scene.inference.prompts]
    assert [text for text in asked if "next" not in text][-1] == "new"
    assert scene.general.from_bot == [answer, later]


async def test_a_deleted_question_stops_generation_and_takes_the_answer_away(scene: Scene) -> None:
    scene.script(Say("One "), Wait(asyncio.Event()))
    question = scene.ann.say(scene.general, "@bot hi")
    answer = await scene.general.next_message()
    await scene.discord.until(lambda: answer.text.startswith("One"))
    scene.ann.delete(question)
    await scene.inference.cancelled.wait()
    await scene.discord.until(lambda: answer.deleted)


async def test_a_mention_without_a_question_says_how_to_ask(scene: Scene) -> None:
    assert "/help" in await scene.told(scene.ann.say(scene.general, "@bot"))


async def test_the_first_mention_opens_a_thread_that_needs_no_more_mentions(
    running: Running,
) -> None:
    async with running(message_content=True, defaults={"answer": "thread"}) as scene:
        question = scene.ann.say(scene.general, "@bot how are you?")
        await scene.answer_to(question)
        thread = await scene.discord.until(lambda: question.thread)
        answer = await scene.discord.until(lambda: next(filter(ended, thread.from_bot), None))
        assert answer.text.startswith("Hello there.")
        assert thread.name == "how are you?"
        scene.ben.say(thread, "and you?")
        await scene.discord.until(lambda: len([*filter(ended, thread.from_bot)]) == 2)
        said = [m["content"] for m in scene.inference.prompts[1][1:]]
        assert said[:2] == ["how are you?", "Hello there."]
        assert "and you?" in said[2]


async def test_every_message_of_a_channel_is_answered_where_set_so(running: Running) -> None:
    async with running(message_content=True, defaults={"answer": "always"}) as scene:
        answer = await scene.answer_to(scene.ann.say(scene.general, "hi"))
        assert answer.text.startswith("Hello there.")


async def test_a_thread_has_its_channels_persona(running: Running) -> None:
    async with running(message_content=True, defaults={"answer": "thread"}) as scene:
        ada = scene.guild.member("Ada", "manage_guild", "manage_channels")
        await ada.slash(scene.general, "persona use", name="riddles", scope="channel").response
        await scene.answer_to(scene.ann.say(scene.general, "@bot hi"))
        assert scene.inference.prompts[0][0]["content"].startswith("Always respond in riddles")


async def test_a_dead_inference_server_is_told_in_the_answer(scene: Scene) -> None:
    from tests.doubles.inference import Error

    scene.script(Error(500))
    answer = await scene.ask("hi")
    assert "Something went wrong" in answer.text
    assert answer.buttons == ["Regenerate", "Delete"]


async def test_an_edit_while_it_is_written_begins_the_answer_anew(scene: Scene) -> None:
    scene.script(Say("Old "), Wait(asyncio.Event()))
    scene.script(Say("New."))
    question = scene.ann.say(scene.general, "@bot old")
    message = await scene.general.next_message()
    await scene.discord.until(lambda: message.text.startswith("Old"))
    scene.ann.edit(question, "@bot new")
    assert (await scene.answer_to(question)).text.startswith("New.")
    assert scene.inference.cancelled.is_set()
    assert scene.general.from_bot == [message]


async def test_a_preview_that_discord_adds_to_a_question_changes_nothing(scene: Scene) -> None:
    question = scene.ann.say(scene.general, "@bot see https://example.org")
    await scene.answer_to(question)
    scene.discord.unfurl(question)
    await scene.ask("next")
    assert len(scene.inference.requests) == 2


async def test_a_mention_in_reply_to_somebody_asks_about_their_message(running: Running) -> None:
    async with running(message_content=True) as scene:
        said = scene.ben.say(scene.general, "The moon is made of cheese.")
        await scene.ask("is that so?", reply_to=said)
        assert "made of cheese" in str(scene.inference.prompts[0])


async def test_a_thread_that_the_bot_was_mentioned_in_goes_on_without_mentions(
    running: Running,
) -> None:
    async with running(message_content=True) as scene:
        thread = scene.ann.thread(scene.general, "Talk")
        await scene.answer_to(scene.ann.say(thread, "@bot one"))
        answer = await scene.answer_to(scene.ann.say(thread, "two"))
        assert answer.channel is thread
        assert len(scene.inference.prompts[1]) > len(scene.inference.prompts[0])


async def test_a_thread_of_others_is_left_alone(running: Running) -> None:
    async with running(message_content=True) as scene:
        thread = scene.ann.thread(scene.general, "Ours")
        scene.ann.say(thread, "just us")
        await scene.ask("hi")
        assert thread.from_bot == []


async def test_the_channels_settings_in_the_file_decide_how_it_answers(running: Running) -> None:
    def threads(double: DiscordDouble, guild: Guild, general: Channel) -> dict[str, Any]:
        return {"servers": {guild.id: {"channels": {general.id: {"answer": "thread"}}}}}

    async with running(prepare=threads) as scene:
        other = scene.guild.channel("other")
        assert (await scene.ask("hi")).channel.parent is scene.general
        answer = await scene.answer_to(scene.ann.say(other, "@bot hi"))
        assert answer.channel is other


async def test_a_server_can_have_another_language(running: Running) -> None:
    def german(double: DiscordDouble, guild: Guild, general: Channel) -> dict[str, Any]:
        return {"servers": {guild.id: {"language": "de"}}}

    async with running(prepare=german) as scene:
        question = scene.ann.say(scene.general, "@bot hallo")
        answer = await scene.discord.until(lambda: next(iter(question.replies), None))
        await scene.discord.until(lambda: "Löschen" in answer.buttons)


async def test_stopped_while_waiting_in_the_queue_it_is_never_asked_again(scene: Scene) -> None:
    scene.script(Queue(3, 20.0), Wait(asyncio.Event()))
    scene.ann.say(scene.general, "@bot hi")
    message = await scene.general.next_message()
    await scene.discord.until(lambda: "Stop" in message.buttons)
    await scene.ann.click(message, "Stop").acknowledged()
    await scene.inference.cancelled.wait()
    await scene.discord.until(lambda: "Stopped." in message.text)
