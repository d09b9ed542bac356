"""Which messages ask the bot: by an edit, in a thread of several people, and when they go again."""

import asyncio

from tests.doubles.inference import Say, Wait
from tests.platforms.discord.conftest import Running, Scene


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
