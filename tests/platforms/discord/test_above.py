"""What stands above in the channel is told to the model as context."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.platforms.discord import history
from tests.doubles.discord import Channel, DiscordDouble, Guild
from tests.platforms.discord.conftest import Running, Scene


@pytest.fixture
async def scene(running: Running) -> AsyncIterator[Scene]:
    async with running(message_content=True) as scene:
        yield scene


def asked(scene: Scene) -> str:
    return scene.inference.prompts[-1][-1]["content"]


async def test_what_others_said_above_is_shown_with_their_names(scene: Scene) -> None:
    scene.ben.say(scene.general, "Berth nine is closed.", files={"plan.pdf": b"%PDF"})
    scene.ann.say(scene.general, "Since when?", reply_to=None)
    scene.ben.say(scene.general, "Since Monday.")
    await scene.ask("which berth?")
    block = [
        "[said in the channel before this conversation]",
        "> (Ben says)",
        "> Berth nine is closed.",
        ">",
        "> [file: plan.pdf] (it wasn't read)",
        "> (Ann says)",
        "> Since when?",
        "> (Ben says)",
        "> Since Monday.",
    ]
    assert asked(scene).splitlines() == [*block, "", "(Ann says)", "which berth?"]


async def test_it_stays_the_same_while_the_conversation_goes_on(scene: Scene) -> None:
    for at in range(30):
        (scene.ann, scene.ben)[at % 2].say(scene.general, f"number {at}")
    answer = await scene.ask("first?")
    first = scene.inference.prompts[0]
    assert "number 9\n" not in first[-1]["content"]
    assert "number 10\n" in first[-1]["content"]
    scene.ben.say(scene.general, "and one more")
    again = await scene.answer_to(scene.ann.say(scene.general, "second?", reply_to=answer))
    await scene.answer_to(scene.ben.say(scene.general, "third?", reply_to=again))
    for prompt in scene.inference.prompts[1:]:
        assert prompt[: len(first)] == first


async def test_who_may_not_read_the_channels_history_brings_nothing_of_it(scene: Scene) -> None:
    scene.general.deny("read_message_history", to=scene.ann)
    scene.ben.say(scene.general, "The code is 4711.")
    await scene.ask("what is the code?")
    assert asked(scene) == "what is the code?"
    await scene.ask("and for me?", scene.ben)
    assert "4711" in asked(scene)


async def test_a_thread_has_what_stands_above_its_first_message(scene: Scene) -> None:
    scene.ben.say(scene.general, "Berth nine is closed.")
    start = scene.ann.say(scene.general, "We move the boats.")
    scene.ben.say(scene.general, "Later.")
    thread = scene.ann.thread(start, "Boats")
    await scene.answer_to(scene.ben.say(thread, "@bot where to?"))
    first = scene.inference.prompts[0]
    assert asked(scene).splitlines() == [
        "[said in the channel before this conversation]",
        "> (Ben says)",
        "> Berth nine is closed.",
        "",
        "(Ann says)",
        "We move the boats.",
        "",
        "(Ben says)",
        "where to?",
    ]
    await scene.answer_to(scene.ann.say(thread, "@bot and when?"))
    assert scene.inference.prompts[1][: len(first)] == first


async def test_a_private_thread_shows_nothing_of_a_channel_that_the_asker_can_not_read(
    scene: Scene,
) -> None:
    scene.general.deny("read_message_history", to=scene.ann)
    scene.ben.say(scene.general, "The code is 4711.")
    thread = scene.ben.thread(scene.general, "Codes")
    await scene.answer_to(scene.ann.say(thread, "@bot what is it?"))
    assert "4711" not in str(scene.inference.prompts[0])


async def test_the_number_is_the_channels_own_and_can_be_none(running: Running) -> None:
    def numbers(double: DiscordDouble, guild: Guild, general: Channel) -> dict[str, Any]:
        channels = {str(general.id): {"channel_messages": 0}}
        return {"servers": {str(guild.id): {"channel_messages": 2, "channels": channels}}}

    async with running(message_content=True, prepare=numbers) as scene:
        other = scene.guild.channel("other")
        for at in range(4):
            scene.ben.say(scene.general, f"number {at}")
            scene.ben.say(other, f"number {at}")
        scene.ann.say(scene.general, "my own words")
        await scene.ask("what was said?")
        assert asked(scene) == "my own words\n\nwhat was said?"
        await scene.answer_to(scene.ann.say(other, "@bot what was said?"))
        assert [at for at in range(4) if f"number {at}" in asked(scene)] == [2, 3]


async def test_new_forgets_what_stands_above_too(scene: Scene) -> None:
    scene.ben.say(scene.general, "The code is 4711.")
    ada = scene.guild.member("Ada", "manage_channels")
    await ada.slash(scene.general, "new").response
    await scene.ask("what is the code?")
    assert "4711" not in str(scene.inference.prompts[0])


async def test_a_history_that_fails_costs_a_line_but_no_answer(scene: Scene) -> None:
    scene.discord.fail("GET", r"/channels/\d+/messages", status=400)
    answer = await scene.ask("why?")
    assert answer.text.startswith("Hello there.")
    assert "I can't read what was said before." in answer.text


async def test_a_history_that_does_not_come_in_time_costs_a_line_but_no_answer(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "HISTORY_SECONDS", 0.05)
    scene.discord.fail("GET", r"/channels/\d+/messages", retry_after=600)
    answer = await scene.ask("why?")
    assert answer.text.startswith("Hello there.")
    assert "in time" in answer.text


async def test_what_somebody_said_before_a_thread_is_shown_only_to_who_may_read_it(
    scene: Scene,
) -> None:
    scene.general.deny("read_message_history", to=scene.ann)
    scene.ben.say(scene.general, "The code is 4711.")
    thread = scene.ben.thread(scene.ben.say(scene.general, "We move the boats."), "Boats")
    await scene.answer_to(scene.ann.say(thread, "@bot where to?"))
    assert "We move the boats." in str(scene.inference.prompts[0])
    assert "4711" not in str(scene.inference.prompts[0])
    await scene.answer_to(scene.ben.say(thread, "@bot and when?"))
    assert "4711" in str(scene.inference.prompts[1])
