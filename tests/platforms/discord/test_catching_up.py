"""/summary and "Catch me up": what was said, for the person who asked and as they may read it."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.conversation.catching_up.citing import Citing, parts_of
from tests.doubles.discord import Channel, Message, Person
from tests.doubles.discord.interactions import Interaction
from tests.doubles.inference import Error, Say, Wait
from tests.platforms.discord.conftest import Running, Scene

LINK = re.compile(r"https://discord\.com/channels/(\d+)/(\d+)/(\d+)")


@pytest.fixture
async def scene(running: Running) -> AsyncIterator[Scene]:
    async with running(message_content=True, server=Citing()) as scene:
        yield scene


def is_over(message: Message) -> bool:
    waits = message.loading or "Thinking…" in message.text
    return not waits and "Stop" not in message.buttons


async def summary(given: Interaction) -> str:
    """What the person is shown at the end."""
    await given.acknowledged()

    def shown() -> str | None:
        if not given.messages or not all(map(is_over, given.messages)):
            return None
        text = "\n".join(message.text for message in given.messages if not message.deleted)
        is_whole = "Summary of" not in text or "\n-# " in text  # the last message ends with a line
        return text if is_whole else None

    text = await given.world.until(shown)
    assert all(message.ephemeral for message in given.messages)
    return text


async def summed_up(person: Person, where: Channel, /, **options: object) -> str:
    return await summary(person.slash(where, "summary", **options))


def linked(scene: Scene, text: str) -> list[str]:
    """The texts of the messages that are linked to; asserts that there are such."""
    found = []
    for guild, channel, message in LINK.findall(text):
        assert int(guild) == scene.guild.id
        found.append(scene.discord.channels[int(channel)].history[int(message)].content)
    return found


async def test_3000_messages_are_summed_up_within_the_context(scene: Scene) -> None:
    texts = [f"message {at} is about the harbour and its tides" for at in range(3000)]
    scene.general.fill(*((scene.ben, text) for text in texts))
    shown = await summed_up(scene.ann, scene.general, since="1 day")
    parts = parts_of(scene.inference)
    assert Counter(number for part in parts for number in part) == Counter(range(1, 3001))
    for request in scene.inference.requests:
        assert scene.inference.count(request["messages"]) + request["max_tokens"] <= 8192
    expected = [texts[number - 1] for part in parts for number in (part[0], part[-1])]
    assert linked(scene, shown) == expected
    assert "3000 messages since" in shown


async def test_a_private_thread_is_told_only_to_its_members(scene: Scene) -> None:
    scene.general.fill((scene.ben, "The tide is high."))
    thread = scene.ben.thread(scene.general, "secret", private=True)
    scene.discord.join_thread(thread, scene.discord.bot)
    thread.fill((scene.ben, "The treasure is under the pier."))
    assert "treasure" not in str(linked(scene, await summed_up(scene.ann, scene.general)))
    assert "treasure" not in str(scene.inference.prompts)
    scene.discord.join_thread(thread, scene.ann)
    texts = linked(scene, await summed_up(scene.ann, scene.general))
    assert texts == ["The tide is high.", "The treasure is under the pier."]
    assert "in the thread “secret”" in scene.inference.prompts[-1][-1]["content"]


async def test_a_channel_that_the_asker_may_not_read_is_refused(scene: Scene) -> None:
    harbour = scene.guild.channel("harbour")
    harbour.fill((scene.ben, "The tide is high."))
    assert linked(scene, await summed_up(scene.ann, scene.general, channel=harbour))
    for right in ("read_message_history", "view_channel"):
        harbour.deny(right, to=scene.ann)
        await scene.discord.until(lambda: True)
        refusal = await summed_up(scene.ann, scene.general, channel=harbour)
        assert "both you and I must be able to read it" in refusal
    assert len(scene.inference.prompts) == 1


async def test_a_channel_that_the_bot_may_not_read_is_refused(scene: Scene) -> None:
    for right in ("read_message_history", "view_channel"):
        harbour = scene.guild.channel(f"harbour without {right}")
        harbour.deny(right)
        refusal = await summed_up(scene.ann, scene.general, channel=harbour)
        assert "both you and I must be able to read it" in refusal


async def test_without_a_time_it_begins_after_the_askers_own_last_message(scene: Scene) -> None:
    ann, ben = scene.ann, scene.ben
    scene.general.fill((ben, "One."), (ann, "Two."), (ben, "Three."), (ben, "Four."))
    assert linked(scene, await summed_up(ann, scene.general)) == ["Three.", "Four."]
    assert linked(scene, await summed_up(ann, scene.general, since="last")) == ["Three.", "Four."]
    assert "Nobody has written anything since" in await summed_up(ben, scene.general)


async def test_the_message_menu_begins_with_the_message(scene: Scene) -> None:
    ben = scene.ben
    _, two, _ = scene.general.fill((ben, "One."), (ben, "Two."), (ben, "Three."))
    shown = await summary(scene.ann.use(two, "Catch me up"))
    assert linked(scene, shown) == ["Two.", "Three."]


async def test_a_bad_time_is_refused_in_one_line(scene: Scene) -> None:
    shown = await summed_up(scene.ann, scene.general, since="soon")
    assert "“soon” isn't a time I know." in shown


async def test_stop_ends_it_and_frees_the_service(scene: Scene) -> None:
    scene.general.fill((scene.ben, "The tide is high."))
    scene.script(Say("The "), Wait(asyncio.Event()))
    given = scene.ann.slash(scene.general, "summary", since="1h")
    await given.acknowledged()
    begun = await scene.discord.until(
        lambda: next((m for m in given.messages if "The" in m.text and m.buttons), None)
    )
    await scene.ann.click(begun, "Stop").acknowledged()
    assert "Stopped." in await summary(given)
    await scene.inference.cancelled.wait()


async def test_a_failure_ends_in_one_line(scene: Scene) -> None:
    scene.general.fill((scene.ben, "The tide is high."))
    scene.script(Error(500))
    assert "Something went wrong" in await summed_up(scene.ann, scene.general, since="1h")


async def test_it_passes_the_gate(running: Running) -> None:
    quotas = {"user": {"requests": 1}}
    async with running(message_content=True, server=Citing(), quotas=quotas) as scene:
        scene.general.fill((scene.ben, "The tide is high."))
        assert linked(scene, await summed_up(scene.ann, scene.general, since="1h"))
        refused = await summed_up(scene.ann, scene.general, since="1h")
        assert "reached your limit" in refused


async def test_in_a_thread_it_is_about_the_thread(scene: Scene) -> None:
    (one,) = scene.general.fill((scene.ben, "The tide is high."))
    thread = scene.ben.thread(one, "tides")
    thread.fill((scene.ben, "It ebbs at nine."))
    texts = linked(scene, await summed_up(scene.ann, thread, since="1h"))
    assert texts == ["The tide is high.", "It ebbs at nine."]


async def test_typed_it_is_told_in_private_only(scene: Scene) -> None:
    asked = scene.ann.say(scene.general, "@bot /summary 2h")
    assert "/summary: only you see its answer" in await scene.told(asked)
    scene.ann.dm("The tide is high.")
    answer = await scene.ann.dms.next_message()
    scene.ann.dm("/summary 1h")
    shown = await scene.discord.until(
        lambda: next(
            (
                m
                for m in scene.ann.dms.from_bot
                if "message since" in m.text or "messages since" in m.text
            ),
            None,
        )
    )
    assert shown.id > answer.id


async def test_without_the_message_content_intent_it_says_why_not(running: Running) -> None:
    async with running() as scene:
        shown = await summed_up(scene.ann, scene.general, since="1h")
        assert "Discord doesn't let me read messages" in shown
