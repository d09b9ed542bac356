"""Which messages ask the bot: by an edit, and in a thread of several people."""

from tests.doubles.inference import Say
from tests.doubles.slack import Message
from tests.platforms.slack.conftest import Scene, ended


async def test_an_edit_that_adds_the_mention_asks_once(either: Scene) -> None:
    question = either.ann.say(either.general, "why do knots slip?")
    either.ann.edit(question, "@bot why do knots slip?")
    answer = await either.answer_to(question)
    either.script(Say("Another."))
    either.ann.edit(question, "@bot why do wet knots slip?")
    await either.slack.until(lambda: answer.text.startswith("Another.") and ended(answer))
    assert question.replies == [answer]


async def test_an_edit_of_a_mention_without_a_question_is_answered(scene: Scene) -> None:
    question = scene.ann.say(scene.general, "@bot")
    await scene.told(question)
    scene.ann.edit(question, "@bot why do knots slip?")
    await scene.answer_to(question)
    assert scene.last_prompt()[-1]["content"] == "why do knots slip?"


async def test_a_path_after_the_mention_is_a_question(scene: Scene) -> None:
    await scene.ask("/etc/hosts why?")
    assert scene.last_prompt()[-1]["content"] == "/etc/hosts why?"


async def test_in_a_thread_what_is_said_to_another_person_asks_nothing(scene: Scene) -> None:
    root = scene.ann.say(scene.general, "@bot one")
    await scene.answer_to(root)
    scene.ben.say(scene.general, "@Ann can you bring the ladder?", thread=root)
    await scene.ask("and two", thread=root)
    assert len(scene.inference.requests) == 2


async def test_which_messages_are_answered_is_set_in_chat(scene: Scene) -> None:
    ada = scene.team.member("Ada", admin=True)

    async def set_here(setting: str, value: str) -> None:
        await ada.slash(scene.general, f"/set {setting} {value}").acknowledged()
        told = f"{setting} is now {value}"
        await scene.slack.until(lambda: any(told in m.text for m in seen()))

    def seen() -> list[Message]:
        return [*ada.ephemerals, *scene.general.from_bot]

    await set_here("answer", "always")
    question = scene.ann.say(scene.general, "one")
    await scene.answer_to(question)
    await set_here("answer", "mention")
    scene.ann.say(scene.general, "not for you")
    await set_here("thread_mentions", "true")
    scene.ann.say(scene.general, "nor this", thread=question)
    await scene.ask("two", thread=question)
    await set_here("thread_mentions", "false")
    await scene.answer_to(scene.ann.say(scene.general, "three", thread=question))
    asked = [prompt[-1]["content"].splitlines()[-1] for prompt in scene.inference.prompts]
    assert asked == ["one", "two", "three"]


async def test_out_of_the_channel_it_is_silent_in_its_threads(scene: Scene) -> None:
    question = scene.ann.say(scene.general, "@bot one")
    await scene.answer_to(question)
    scene.general.has_bot = False
    scene.ann.say(scene.general, "two", thread=question)
    await scene.answer_to(scene.ann.dm("three"))
    assert len(scene.inference.requests) == 2
    assert scene.ann.ephemerals == []


async def test_a_long_thread_is_read_as_far_as_the_models_context_goes(scene: Scene) -> None:
    scene.inference.model["max_model_len"] = 131_072
    root = scene.ann.say(scene.general, "Numbers")
    for at in range(150):
        (scene.ann, scene.ben)[at % 2].say(scene.general, f"number {at} and so on", thread=root)
    await scene.ask("how many?", thread=root)
    prompt = str(scene.last_prompt())
    assert [at for at in range(150) if f"number {at} " in prompt] == [*range(150)]
