"""Which messages ask the bot: by an edit, in a thread of several people, and when they go again."""

import asyncio

import pytest

from tests.doubles.inference import Say, Wait
from tests.platforms.discord.conftest import Running, Scene, ended


async def test_an_edit_that_adds_the_mention_asks_once(scene: Scene) -> None:
    question = scene.ann.say(scene.general, "why do knots slip?")
    scene.ann.edit(question, "@bot why do knots slip?")
    answer = await scene.answer_to(question)
    assert answer.reference is question
    scene.script(Say("Another."))
    scene.ann.edit(question, "@bot why do wet knots slip?")
    await scene.discord.until(lambda: answer.text.startswith("Another."))
    assert scene.general.from_bot == [answer]


async def test_an_edit_of_a_mention_without_a_question_is_answered(scene: Scene) -> None:
    question = scene.ann.say(scene.general, "@bot")
    await scene.told(question)
    scene.ann.edit(question, "@bot why do knots slip?")
    await scene.answer_to(question)
    assert scene.inference.prompts[0][-1]["content"] == "why do knots slip?"


async def test_a_preview_of_an_unanswered_message_asks_nothing(scene: Scene) -> None:
    message = scene.ann.say(scene.general, "@bot")
    await scene.told(message)
    scene.discord.unfurl(message)
    await scene.ask("next")
    assert len(scene.inference.requests) == 1
    assert len(message.replies) == 1


async def test_a_path_after_the_mention_is_a_question(scene: Scene) -> None:
    await scene.ask("/etc/hosts why?")
    assert scene.inference.prompts[0][-1]["content"] == "/etc/hosts why?"


async def test_in_a_thread_what_is_said_to_another_person_asks_nothing(running: Running) -> None:
    async with running(message_content=True) as scene:
        thread = scene.ann.thread(scene.general, "Talk")
        await scene.answer_to(scene.ann.say(thread, "@bot one"))
        from_ben = scene.ben.say(thread, "@Ann can you bring the ladder?")
        scene.ann.say(thread, "yes", reply_to=from_ben)
        await scene.answer_to(scene.ann.say(thread, "and two"))
        asked = [prompt[-1]["content"] for prompt in scene.inference.prompts]
        assert len(asked) == 2
        assert asked[1].endswith("and two")


async def test_where_every_message_is_answered_those_to_another_person_are_not(
    running: Running,
) -> None:
    async with running(message_content=True, defaults={"answer": "always"}) as scene:
        scene.ann.say(scene.general, "@Ben can you bring the ladder?")
        await scene.answer_to(scene.ann.say(scene.general, "why is it so long?"))
        assert len(scene.inference.requests) == 1


async def test_what_the_asker_said_right_before_belongs_to_the_question(running: Running) -> None:
    async with running(message_content=True) as scene:
        scene.ann.say(scene.general, "not this")
        scene.ben.say(scene.general, "nor this")
        scene.ann.say(scene.general, "for oar in oars: oars.remove(oar)")
        scene.ann.say(scene.general, "it leaves every second one")
        answer = await scene.ask("why?")
        first = scene.inference.prompts[0]
        said = ["for oar in oars: oars.remove(oar)", "it leaves every second one", "why?"]
        assert first[-1]["content"].endswith("> nor this\n\n(Ann says)\n" + "\n\n".join(said))
        await scene.answer_to(scene.ann.say(scene.general, "@bot sure?", reply_to=answer))
        assert scene.inference.prompts[1][: len(first)] == first


async def test_a_purge_deletes_each_of_its_messages(scene: Scene) -> None:
    scene.script(Say("One "), Wait(asyncio.Event()))
    before = scene.ben.say(scene.general, "hello")
    question = scene.ann.say(scene.general, "@bot hi")
    answer = await scene.general.next_message()
    await scene.discord.until(lambda: answer.text.startswith("One"))
    scene.discord.purge(before, question)
    await scene.inference.cancelled.wait()
    await scene.discord.until(lambda: answer.deleted)


async def test_removed_from_a_thread_it_is_silent_until_it_is_mentioned_again(
    running: Running,
) -> None:
    async with running(message_content=True, defaults={"answer": "thread"}) as scene:
        question = scene.ann.say(scene.general, "@bot one")
        await scene.answer_to(question)
        thread = question.thread
        assert thread is not None
        scene.discord.remove_from_thread(thread, scene.discord.bot)
        scene.ann.say(thread, "and two")
        await scene.answer_to(scene.ben.say(thread, "@bot three"))
        await scene.answer_to(scene.ann.say(thread, "four"))
        asked = [prompt[-1]["content"].splitlines()[-1] for prompt in scene.inference.prompts]
        assert asked == ["one", "three", "four"]


async def test_where_set_so_a_thread_needs_a_mention_each_time(running: Running) -> None:
    async with running(message_content=True, defaults={"thread_mentions": True}) as scene:
        thread = scene.ann.thread(scene.general, "Talk")
        await scene.answer_to(scene.ann.say(thread, "@bot one"))
        scene.ann.say(thread, "not for you")
        await scene.answer_to(scene.ann.say(thread, "@bot two"))
        assert len(scene.inference.requests) == 2
        assert "not for you" in str(scene.inference.prompts[1])


async def test_which_messages_are_answered_is_set_in_chat(running: Running) -> None:
    async with running(message_content=True) as scene:
        ada = scene.guild.member("Ada", "manage_channels")

        async def set_here(setting: str, value: str) -> None:
            await ada.slash(scene.general, "set", setting=setting, value=value).response

        await set_here("answer", "thread")
        question = scene.ann.say(scene.general, "@bot one")
        assert (await scene.answer_to(question)).channel.parent is scene.general
        thread = question.thread
        assert thread is not None
        await set_here("thread_mentions", "true")
        scene.ann.say(thread, "not for you")
        await set_here("answer", "always")
        await scene.answer_to(scene.ann.say(thread, "two"))
        await scene.answer_to(scene.ben.say(scene.general, "three"))
        await set_here("answer", "mention")
        scene.ann.say(scene.general, "not for you")
        await scene.ask("four")
        asked = [prompt[-1]["content"].splitlines()[-1] for prompt in scene.inference.prompts]
        assert asked == ["one", "two", "three", "four"]


async def test_in_thread_mode_the_quoted_message_stays_as_long_as_the_thread_lives(
    running: Running,
) -> None:
    async with running(message_content=True, defaults={"answer": "thread"}) as scene:
        quoted = scene.ben.say(scene.general, "The mast goes to the sailmaker.")
        scene.ben.say(scene.general, "Lunch?")
        question = scene.ann.say(scene.general, "@bot when?", reply_to=quoted)
        await scene.answer_to(question)
        first = scene.inference.prompts[0]
        assert "The mast goes to the sailmaker." in first[-1]["content"]
        assert question.thread is not None
        for number in ("one", "two"):
            await scene.answer_to(scene.ann.say(question.thread, f"and {number}?"))
            assert scene.inference.prompts[-1][: len(first)] == first


WEBHOOK = {"webhook_id": "912900000000000001", "application_id": "466378653216014359"}


@pytest.mark.parametrize("deleted", ["before", "after"])
async def test_a_question_that_pluralkit_copies_is_answered_once(
    running: Running, deleted: str
) -> None:
    async with running(message_content=True) as scene:
        luna = scene.guild.app("Luna")
        question = scene.ann.say(scene.general, "L: @bot why do knots slip?")
        if deleted == "before":
            scene.discord.erase(question)
        copy = luna.say(scene.general, "@bot why do knots slip?", extra=WEBHOOK)
        if deleted == "after":
            scene.discord.erase(question)
        answer = await scene.discord.until(lambda: next(filter(ended, copy.replies), None))
        await scene.discord.until(lambda: scene.general.from_bot == [answer])
        assert scene.inference.prompts[-1][-1]["content"] == ("(Luna says)\nwhy do knots slip?")
        asked = len(scene.inference.prompts)
        await scene.ann.click(answer, "Regenerate").acknowledged()
        await scene.discord.until(lambda: len(scene.inference.prompts) > asked and ended(answer))
        assert scene.general.from_bot == [answer]


async def test_a_copy_of_a_reply_to_the_bot_goes_on_with_the_conversation(
    running: Running,
) -> None:
    async with running(message_content=True) as scene:
        luna = scene.guild.app("Luna")
        answer = await scene.ask("one")
        question = scene.ann.say(scene.general, "L: two", reply_to=answer)
        copy = luna.say(scene.general, "two", extra=WEBHOOK)
        scene.discord.erase(question)
        await scene.discord.until(lambda: next(filter(ended, copy.replies), None))
        said = [message["content"] for message in scene.inference.prompts[-1][1:]]
        assert said == ["one", "Hello there.", "(Luna says)\ntwo"]


async def test_a_command_that_is_copied_is_carried_out_once(running: Running) -> None:
    async with running(message_content=True) as scene:
        luna = scene.guild.app("Luna")
        question = scene.ann.say(scene.general, "@bot /settings")
        copy = luna.say(scene.general, "@bot /settings", extra=WEBHOOK)
        await scene.told(question)
        scene.discord.erase(question)
        await scene.ask("hi")
        assert copy.replies == []


async def test_what_another_webhook_says_is_no_copy(running: Running) -> None:
    async with running(message_content=True) as scene:
        luna = scene.guild.app("Luna")
        await scene.ask("one")
        luna.say(scene.general, "@bot two", extra=WEBHOOK)
        await scene.ask("three")
        assert len(scene.inference.requests) == 2


async def test_in_thread_mode_a_copy_has_its_own_thread(running: Running) -> None:
    async with running(message_content=True, defaults={"answer": "thread"}) as scene:
        scene.general.allow("manage_threads")
        luna = scene.guild.app("Luna")
        question = scene.ann.say(scene.general, "L: @bot why do knots slip?")
        copy = luna.say(scene.general, "@bot why do knots slip?", extra=WEBHOOK)
        scene.discord.erase(question)
        await scene.answer_to(copy)
        await scene.discord.until(lambda: scene.general.threads == [copy.thread])


async def test_what_the_asker_said_right_before_a_reply_belongs_to_it_in_every_turn(
    running: Running,
) -> None:
    async with running(message_content=True) as scene:
        answer = await scene.ask("one")
        scene.ben.say(scene.general, "Lunch?")
        scene.ann.say(scene.general, "oars.remove(oar)")
        second = await scene.answer_to(scene.ann.say(scene.general, "fix it", reply_to=answer))
        prompt = scene.inference.prompts[-1]
        assert [m["content"] for m in prompt[1:3]] == ["one", "Hello there."]
        assert prompt[-1]["content"].startswith("oars.remove(oar)\n\n")
        assert "Lunch?" not in str(prompt)
        await scene.answer_to(scene.ann.say(scene.general, "sure?", reply_to=second))
        assert scene.inference.prompts[-1][: len(prompt)] == prompt


async def test_a_long_chain_of_replies_takes_few_requests(running: Running) -> None:
    async with running(message_content=True) as scene:
        last = scene.ann.say(scene.general, "number 0")
        for at in range(1, 150):
            last = (scene.ann, scene.ben)[at % 2].say(scene.general, f"number {at}", reply_to=last)
        before = len(scene.discord.requests)
        await scene.ask("how many?", reply_to=last)
        reads = [c for c in scene.discord.requests[before:] if c.route.startswith("GET")]
        assert len(reads) <= 4
        prompt = str(scene.inference.prompts[-1])
        assert [at for at in range(150) if f"number {at}\\n" in prompt] == [*range(150)]


async def test_a_long_thread_is_read_as_far_as_the_models_context_goes(running: Running) -> None:
    async with running(message_content=True) as scene:
        scene.inference.model["max_model_len"] = 131_072
        thread = scene.ann.thread(scene.general, "Numbers")
        for at in range(150):
            (scene.ann, scene.ben)[at % 2].say(thread, f"number {at} {'and so on ' * 20}")
        await scene.answer_to(scene.ann.say(thread, "@bot how many?"))
        prompt = str(scene.inference.prompts[-1])
        assert [at for at in range(150) if f"number {at} " in prompt] == [*range(150)]
