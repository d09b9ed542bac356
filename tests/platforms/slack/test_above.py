"""What stands above in the channel is told to the model as context."""

from typing import Any

import pytest

from bot.platforms.slack import above
from tests.doubles.slack import Channel, SlackDouble, Workspace
from tests.platforms.slack.conftest import Running, Scene


def asked(scene: Scene) -> str:
    return scene.last_prompt()[-1]["content"]


def reads(scene: Scene) -> int:
    """How often Slack was asked for a channel."""
    return sum(call.method == "conversations.history" for call in scene.slack.requests)


async def test_what_others_said_above_is_shown_with_their_names(either: Scene) -> None:
    either.ben.say(either.general, "Berth nine is closed.", files={"plan.txt": b"secret"})
    either.ann.say(either.general, "Since when?")
    either.ben.say(either.general, "Since Monday.")
    await either.ask("which berth?")
    block = [
        "[said in the channel before this conversation]",
        "> (Ben says)",
        "> Berth nine is closed.",
        ">",
        "> [file: plan.txt] (it wasn't read)",
        "> (Ann says)",
        "> Since when?",
        "> (Ben says)",
        "> Since Monday.",
    ]
    assert asked(either).splitlines() == [*block, "", "(Ann says)", "which berth?"]
    assert reads(either) == 1


async def test_it_stays_the_same_in_the_thread_and_is_asked_for_once(scene: Scene) -> None:
    for at in range(30):
        (scene.ann, scene.ben)[at % 2].say(scene.general, f"number {at}")
    question = scene.ann.say(scene.general, "@bot first?")
    await scene.answer_to(question)
    first = scene.last_prompt()
    assert "number 9\n" not in first[-1]["content"]
    assert "number 10\n" in first[-1]["content"]
    scene.ben.say(scene.general, "and one more")
    await scene.answer_to(scene.ann.say(scene.general, "second?", thread=question))
    await scene.answer_to(scene.ben.say(scene.general, "third?", thread=question))
    for prompt in scene.inference.prompts[1:]:
        assert prompt[: len(first)] == first
    assert reads(scene) == 1


async def test_what_is_deleted_above_is_told_no_longer(scene: Scene) -> None:
    secret = scene.ben.say(scene.general, "The code is 4711.")
    question = scene.ann.say(scene.general, "@bot first?")
    await scene.answer_to(question)
    assert "4711" in asked_first(scene)
    scene.ben.delete(secret)
    await scene.slack.until(lambda: scene.slack.delivery.settled)
    await scene.answer_to(scene.ann.say(scene.general, "second?", thread=question))
    assert "4711" not in str(scene.last_prompt())


def asked_first(scene: Scene) -> str:
    return scene.inference.prompts[0][-1]["content"]


async def test_what_the_asker_said_right_before_belongs_to_the_question(scene: Scene) -> None:
    scene.ann.say(scene.general, "not this")
    scene.ben.say(scene.general, "nor this")
    scene.ann.say(scene.general, "for oar in oars: oars.remove(oar)")
    scene.ann.say(scene.general, "it leaves every second one")
    question = scene.ann.say(scene.general, "@bot why?")
    await scene.answer_to(question)
    first = scene.last_prompt()
    said = ["for oar in oars: oars.remove(oar)", "it leaves every second one", "why?"]
    assert first[-1]["content"].endswith("> nor this\n\n(Ann says)\n" + "\n\n".join(said))
    await scene.answer_to(scene.ann.say(scene.general, "sure?", thread=question))
    assert scene.last_prompt()[: len(first)] == first


async def test_a_question_before_is_no_part_of_the_next_one(scene: Scene) -> None:
    await scene.answer_to(scene.ann.say(scene.general, "@bot one"))
    await scene.answer_to(scene.ann.say(scene.general, "@bot two"))
    assert asked(scene).endswith("> (Ann says)\n> one\n\n(Ann says)\ntwo")


async def test_the_number_is_the_channels_own_and_can_be_none(running: Running) -> None:
    def numbers(double: SlackDouble, team: Workspace, general: Channel) -> dict[str, Any]:
        channels = {general.id: {"channel_messages": 0}}
        return {"servers": {team.id: {"channel_messages": 2, "channels": channels}}}

    async with running(prepare=numbers) as scene:
        other = scene.team.channel("other")
        for at in range(4):
            scene.ben.say(scene.general, f"number {at}")
            scene.ben.say(other, f"number {at}")
        scene.ann.say(scene.general, "my own words")
        await scene.ask("what was said?")
        assert asked(scene) == "my own words\n\nwhat was said?"
        await scene.answer_to(scene.ann.say(other, "@bot what was said?"))
        assert [at for at in range(4) if f"number {at}" in asked(scene)] == [2, 3]


@pytest.mark.parametrize("error", ["missing_scope", "not_in_channel", "500"])
async def test_a_channel_that_can_not_be_read_costs_a_line_but_no_answer(
    scene: Scene, error: str
) -> None:
    scene.slack.fail("conversations.history", error)
    answer = await scene.ask("why?")
    assert answer.text.startswith("Hello there.")
    assert "I can't read what was said before." in answer.text


async def test_where_slack_lets_wait_the_answer_goes_on_and_slack_is_left_alone_for_a_while(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(above, "ABOVE_SECONDS", 0.05)
    scene.slack.fail("conversations.history", "ratelimited", retry_after=600, times=None)
    for _ in range(2):
        answer = await scene.ask("why?")
        assert answer.text.startswith("Hello there.")
        assert "in time" in answer.text
    assert reads(scene) == 1


async def test_what_others_say_reads_no_channel(scene: Scene) -> None:
    for at in range(5):
        scene.ben.say(scene.general, f"bystander {at}")
    await scene.slack.until(lambda: scene.slack.delivery.settled)
    assert reads(scene) == 0
