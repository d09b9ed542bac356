"""A private conversation goes on from message to message, whatever threads its answers are in."""

from tests.doubles.inference import Say
from tests.doubles.slack import Message
from tests.platforms.slack.conftest import Scene


def said(scene: Scene) -> list[str]:
    """What the model was last told, without the system prompt."""
    return [message["content"] for message in scene.last_prompt()[1:]]


def calls(scene: Scene, method: str) -> int:
    return sum(call.method == method for call in scene.slack.requests)


async def ask(scene: Scene, text: str, thread: Message | None = None) -> Message:
    question = scene.ann.dm(text, thread=thread)
    await scene.answer_to(question)
    return question


async def test_it_goes_on_from_one_message_to_the_next(either: Scene) -> None:
    await ask(either, "one")
    await ask(either, "two")
    await ask(either, "three")
    answer = "Hello there."
    assert said(either) == ["one", answer, "two", answer, "three"]
    for before, after in zip(either.inference.prompts, either.inference.prompts[1:], strict=False):
        assert after[: len(before)] == before


async def test_a_threads_turns_are_in_what_comes_after_and_what_came_before_is_in_the_thread(
    scene: Scene,
) -> None:
    await ask(scene, "one")
    second = await ask(scene, "two")
    first = scene.last_prompt()
    await ask(scene, "two and a half", thread=second)
    assert scene.last_prompt()[: len(first)] == first
    await ask(scene, "three")
    answer = "Hello there."
    assert said(scene) == ["one", answer, "two", answer, "two and a half", answer, "three"]


async def test_a_turn_asks_slack_once_for_the_conversation_and_once_for_the_last_answer(
    scene: Scene,
) -> None:
    for at in range(4):
        await ask(scene, f"number {at}")
    assert calls(scene, "conversations.history") == 4
    assert calls(scene, "conversations.replies") == 3


async def test_new_starts_it_over(scene: Scene) -> None:
    await ask(scene, "one")
    command = scene.ann.dm("/new")
    await scene.told(command)
    await ask(scene, "two")
    assert said(scene) == ["two"]


async def test_a_day_of_silence_starts_it_over(scene: Scene) -> None:
    old = await ask(scene, "one")
    for message in [old, *old.replies]:
        earlier = f"{float(message.ts) - 25 * 3600:.6f}"
        scene.ann.dms.history[earlier] = scene.ann.dms.history.pop(message.ts)
        message.ts = earlier
    await ask(scene, "two")
    assert said(scene) == ["two"]
    await ask(scene, "three")
    assert said(scene) == ["two", "Hello there.", "three"]


async def test_a_command_is_about_the_whole_conversation(scene: Scene) -> None:
    await ask(scene, "one")
    await scene.told(scene.ann.dm("/effort high"))
    await ask(scene, "two")
    assert scene.inference.requests[-1]["reasoning_effort"] == "high"
    scene.script(Say("Again."))
    scene.ann.dm("/regenerate")
    await scene.slack.until(lambda: any("Again." in m.text for m in scene.ann.dms.from_bot))
    assert said(scene)[-1] == "two"


async def test_what_can_not_be_read_costs_a_line_but_no_answer(scene: Scene) -> None:
    scene.slack.fail("conversations.history", "missing_scope")
    answer = await scene.answer_to(scene.ann.dm("one"))
    assert answer.text.startswith("Hello there.")
    assert "I can't read what was said before." in answer.text


async def test_a_group_conversation_is_a_channel_of_its_own(scene: Scene) -> None:
    group = scene.team.group_direct(scene.ann, scene.ben)
    scene.ben.say(group, "The bill is 40.")
    question = scene.ann.say(group, "@bot split it")
    await scene.answer_to(question)
    assert "> (Ben says)\n> The bill is 40." in said(scene)[-1]
    scene.ben.say(group, "thanks")
    await scene.answer_to(scene.ben.say(group, "with a tip?", thread=question))
    assert len(scene.inference.requests) == 2


async def test_an_answer_that_slack_does_not_count_yet_is_part_of_it(scene: Scene) -> None:
    first = await ask(scene, "one")
    first.extra = dict.fromkeys(("reply_count", "reply_users", "latest_reply"))
    await ask(scene, "two")
    assert said(scene) == ["one", "Hello there.", "two"]
