"""/summary and "Catch me up": what was said, for the person who asked and as they may read it."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import yaml

from tests.conversation.catching_up.citing import Citing, parts_of
from tests.doubles.inference import Error, Say, Wait
from tests.doubles.slack import Channel, Message, Person
from tests.platforms.slack.conftest import Running, Scene

LINK = re.compile(r"https://home\.slack\.com/archives/(\w+)/p(\d+)(\?thread_ts=[\d.]+&cid=\w+)?")
CATCH_UP = "gptoss-catch-up"


@pytest.fixture
async def scene(running: Running) -> AsyncIterator[Scene]:
    async with running(server=Citing()) as scene:
        yield scene


async def summed_up(scene: Scene, person: Person, where: Channel, words: str = "") -> str:
    """What the person is shown at the end."""
    return await shown_after(scene, person, lambda: person.slash(where, f"/bot-summary {words}"))


async def shown_after(scene: Scene, person: Person, do: Any) -> str:
    before = len(person.ephemerals)
    do()

    def end() -> str | None:
        return next((m.text for m in person.ephemerals[before:] if is_end(m)), None)

    return await scene.slack.until(end)


def is_end(message: Message) -> bool:
    begun = ("Reading", "Summing up", "Putting")
    return not message.text.startswith(begun)


def linked(scene: Scene, text: str) -> list[str]:
    """The texts of the messages that are linked to; asserts that there are such."""
    found = []
    for channel, number, thread in LINK.findall(text):
        message = scene.team.channels[channel].history[f"{number[:-6]}.{number[-6:]}"]
        root = message.thread
        assert thread == (f"?thread_ts={root.ts}&cid={channel}" if root else "")
        found.append(message.raw)
    return found


async def test_3000_messages_are_summed_up_within_the_context(scene: Scene) -> None:
    texts = [f"message {at} is about the harbour and its tides" for at in range(3000)]
    scene.general.fill(*((scene.ben, text) for text in texts))
    shown = await summed_up(scene, scene.ann, scene.general, "1 day")
    parts = parts_of(scene.inference)
    assert Counter(number for part in parts for number in part) == Counter(range(1, 3001))
    for request in scene.inference.requests:
        assert scene.inference.count(request["messages"]) + request["max_tokens"] <= 8192
    expected = [texts[number - 1] for part in parts for number in (part[0], part[-1])]
    assert linked(scene, shown) == expected
    assert "3000 messages since" in shown
    assert not scene.general.from_bot


async def test_threads_are_part_of_it(scene: Scene) -> None:
    one, _ = scene.general.fill((scene.ben, "The tide is high."), (scene.ben, "Who pays?"))
    scene.general.fill((scene.ann, "It ebbs at nine."), thread=one)
    shown = await summed_up(scene, scene.ben, scene.general, "1h")
    assert linked(scene, shown) == ["The tide is high.", "It ebbs at nine."]
    assert "in the thread “The tide is high.”" in scene.last_prompt()[-1]["content"]


async def test_a_channel_is_told_only_to_who_is_in_it(scene: Scene) -> None:
    harbour = scene.team.channel("harbour", private=True)
    harbour.members = [scene.ben]
    harbour.fill((scene.ben, "The treasure is under the pier."))
    for given in ("#harbour", f"<#{harbour.id}|harbour>", "1h #harbour", f"1h <#{harbour.id}>"):
        refusal = await summed_up(scene, scene.ann, scene.general, given)
        assert "both you and I must be able to read it" in refusal
    assert not scene.inference.prompts
    harbour.members.append(scene.ann)
    for given in ("#harbour", f"1h <#{harbour.id}|harbour>"):
        shown = await summed_up(scene, scene.ann, scene.general, given)
        assert linked(scene, shown) == ["The treasure is under the pier."]


async def test_a_channel_without_the_bot_is_refused_in_one_line(scene: Scene) -> None:
    harbour = scene.team.channel("harbour", has_bot=False)
    shown = await summed_up(scene, scene.ann, harbour, "1h")
    assert "I can't sum up #harbour" in shown


async def test_without_a_time_it_begins_after_the_askers_own_last_message(scene: Scene) -> None:
    ann, ben = scene.ann, scene.ben
    scene.general.fill((ben, "One."), (ann, "Two."), (ben, "Three."), (ben, "Four."))
    assert linked(scene, await summed_up(scene, ann, scene.general)) == ["Three.", "Four."]
    assert linked(scene, await summed_up(scene, ann, scene.general, "last")) == ["Three.", "Four."]
    assert "Nobody has written anything since" in await summed_up(scene, ben, scene.general)


async def test_the_shortcut_begins_with_the_message(scene: Scene) -> None:
    ann, ben = scene.ann, scene.ben
    _, two, _ = scene.general.fill((ben, "One."), (ben, "Two."), (ben, "Three."))
    shown = await shown_after(scene, ann, lambda: ann.shortcut(two, CATCH_UP))
    assert linked(scene, shown) == ["Two.", "Three."]
    (four, _) = scene.general.fill((ben, "Four."), (ben, "Five."), thread=two)
    shown = await shown_after(scene, ann, lambda: ann.shortcut(four, CATCH_UP))
    assert linked(scene, shown) == ["Four.", "Five."]


def test_the_manifest_has_the_shortcut(manifest: dict[str, Any]) -> None:
    (shortcut,) = manifest["features"]["shortcuts"]
    assert (shortcut["type"], shortcut["callback_id"]) == ("message", CATCH_UP)
    assert "/bot-summary" in yaml.safe_dump(manifest["features"]["slash_commands"])


async def test_it_can_be_typed_in_a_thread(scene: Scene) -> None:
    ann, ben = scene.ann, scene.ben
    (one,) = scene.general.fill((ben, "The tide is high."))
    scene.general.fill((ben, "It ebbs at nine."), thread=one)
    scene.general.fill((ben, "Who pays?"))
    shown = await shown_after(
        scene, ann, lambda: ann.say(scene.general, "@bot /summary 1h", thread=one)
    )
    assert linked(scene, shown) == ["The tide is high.", "It ebbs at nine."]


async def test_typed_in_a_channel_it_is_about_the_channel(scene: Scene) -> None:
    ann = scene.ann
    scene.general.fill((scene.ben, "The tide is high."), (scene.ben, "It ebbs at nine."))
    shown = await shown_after(scene, ann, lambda: ann.say(scene.general, "@bot /summary 1h"))
    assert linked(scene, shown) == ["The tide is high.", "It ebbs at nine."]


async def test_stop_ends_it_and_frees_the_service(scene: Scene) -> None:
    scene.general.fill((scene.ben, "The tide is high."))
    scene.script(Say("The "), Wait(asyncio.Event()))
    scene.ann.slash(scene.general, "/bot-summary 1h")
    begun = await scene.slack.until(
        lambda: next((m for m in scene.ann.ephemerals if "Stop" in m.buttons), None)
    )
    await scene.inference.asked.wait()
    shown = await shown_after(scene, scene.ann, lambda: scene.ann.click(begun, "Stop"))
    assert "Stopped." in shown
    await scene.inference.cancelled.wait()


async def test_progress_is_shown(scene: Scene) -> None:
    scene.general.fill(*((scene.ben, f"message {at} " * 20) for at in range(400)))
    go_on = asyncio.Event()
    scene.script(Say("Note [1]."), Wait(go_on))

    def progress() -> bool:
        return any(m.text.startswith("Summing up part 1 of") for m in scene.ann.ephemerals)

    scene.ann.slash(scene.general, "/bot-summary 1h")
    await scene.slack.until(progress)
    go_on.set()
    await scene.slack.until(lambda: is_end(scene.ann.ephemerals[-1]))


async def test_a_failure_ends_in_one_line(scene: Scene) -> None:
    scene.general.fill((scene.ben, "The tide is high."))
    scene.script(Error(500))
    assert "Something went wrong" in await summed_up(scene, scene.ann, scene.general, "1h")


async def test_it_passes_the_gate(running: Running) -> None:
    async with running(server=Citing(), quotas={"user": {"requests": 1}}) as scene:
        scene.general.fill((scene.ben, "The tide is high."))
        assert linked(scene, await summed_up(scene, scene.ann, scene.general, "1h"))
        refused = await summed_up(scene, scene.ann, scene.general, "1h")
        assert "reached your limit" in refused


async def test_where_blocks_are_refused_the_links_stay(scene: Scene) -> None:
    scene.general.fill((scene.ben, "The tide is high."))
    ann = scene.ann
    scene.slack.fail(
        "chat.postEphemeral",
        "invalid_blocks",
        times=None,
        when=lambda call: any(b["type"] == "markdown" for b in call.arguments.get("blocks") or ()),
    )
    await shown_after(scene, ann, lambda: ann.say(scene.general, "@bot /summary 1h"))
    assert linked(scene, ann.ephemerals[-1].raw) == ["The tide is high."]


async def test_what_slack_gives_too_slowly_ends_the_reading(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for apps outside the Marketplace: 15 messages a minute."""
    monkeypatch.setattr("bot.platforms.catching_up.CHANNEL_SECONDS", 1.0)
    scene.slack.conversations.page = 15
    scene.slack.limits.rules["conversations.history"] = (1, 60.0)
    scene.general.fill(*((scene.ben, f"message {at}") for at in range(40)))
    shown = await summed_up(scene, scene.ann, scene.general, "1 day")
    assert "This covers the newest 15 messages, since" in shown
    assert linked(scene, shown) == ["message 25", "message 39"]


async def test_what_is_more_than_may_be_read_is_left_out(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.platforms.catching_up.MESSAGES", 250)
    scene.slack.conversations.page = 15
    scene.general.fill(*((scene.ben, f"message {at}") for at in range(400)))
    shown = await summed_up(scene, scene.ann, scene.general, "1 day")
    assert "There was more than I could read." in shown
    assert linked(scene, shown) == ["message 150", "message 399"]
