"""When an answer's message is edited while it comes, in virtual time and Discord's true bucket."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import discord
import pytest

from bot.config import Config, Effort
from bot.conversation.reply import Reply, ReplyState
from bot.conversation.texts import Texts
from bot.platforms.discord.layout import Look
from bot.platforms.discord.sending import Pace
from bot.platforms.discord.view import DiscordView
from bot.platforms.written import WrittenAnswers
from tests.virtual_time import run_in_virtual_time

BUCKET, SECONDS = 5, 5.0


@dataclass
class Channel:
    """Edits of one channel: a bucket's window begins with its first request, and who finds it
    empty waits for the next one, as discord.py does."""

    edits: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    _began: float = -SECONDS
    _used: int = 0

    async def edit(self) -> float:
        time = asyncio.get_running_loop().time
        asked = time()
        while True:
            if time() >= self._began + SECONDS:
                self._began, self._used = time(), 0
            if self._used < BUCKET:
                self._used += 1
                break
            await asyncio.sleep(self._began + SECONDS - time())
        self.edits.append(time())
        self.waited.append(time() - asked)
        return time()


@dataclass
class Shown:
    """When an answer was edited, and how long after the model's end it was shown whole."""

    edits: list[float]
    late: float


async def answer(pace: Pace, channel: Channel, begin: float, seconds: float) -> Shown:
    """An answer of ten words a second."""
    time = asyncio.get_running_loop().time
    await asyncio.sleep(begin)
    reply = Reply(asker="1", effort=Effort.LOW, show_reasoning=False)
    ended = begin + seconds

    async def write() -> None:
        for _ in range(int(seconds * 10)):
            reply.text += "word "
            reply.change(ReplyState.WRITING)
            await asyncio.sleep(0.1)
        reply.change(ReplyState.DONE)

    writing = asyncio.create_task(write())
    edits = []
    with pace.turns(1, reply) as turns:
        async for _ in reply.updates():
            if not reply.state.final and not await turns.next():
                continue
            edits.append(await channel.edit())
    await writing
    return Shown(edits, time() - ended)


async def answers(*times: tuple[float, float]) -> tuple[Channel, list[Shown]]:
    pace, channel = Pace(), Channel()
    shown = await asyncio.gather(*(answer(pace, channel, *at) for at in times))
    return channel, list(shown)


def test_one_answer_is_edited_evenly_from_the_first_edit_on() -> None:
    _, (shown,) = run_in_virtual_time(answers((0.0, 30.0)))
    gaps = [b - a for a, b in zip(shown.edits, shown.edits[1:], strict=False)]
    assert max(gaps) <= 2.5
    assert min(gaps[:-1]) >= 1.0  # the last is the end's
    assert shown.late <= 0.2


@pytest.mark.parametrize("seconds", [12.0, 20.0, 31.0, 60.0])
@pytest.mark.parametrize("apart", [0.0, 0.3, 2.0])
def test_ends_are_shown_at_once_with_five_answers_in_a_channel(
    apart: float, seconds: float
) -> None:
    times = [(at * apart, seconds) for at in range(5)]
    channel, shown = run_in_virtual_time(answers(*times))
    assert max(s.late for s in shown) <= 1.5
    assert max(channel.waited) <= 1.5


@pytest.mark.parametrize("apart", [0.0, 0.3, 1.0, 2.0])
def test_two_answers_in_a_channel_are_edited_evenly_and_their_ends_shown_at_once(
    apart: float,
) -> None:
    _, shown = run_in_virtual_time(answers((0.0, 30.0), (apart, 30.0)))
    for one in shown:
        gaps = [b - a for a, b in zip(one.edits, one.edits[1:], strict=False)]
        assert max(gaps) <= 2.7
        assert one.late <= 1.5


def test_as_many_answers_as_a_bucket_has_edits_show_their_beginnings_and_their_ends() -> None:
    _, shown = run_in_virtual_time(answers(*[(at * 0.3, 20.0) for at in range(5)]))
    assert [len(one.edits) for one in shown] == [2] * 5


def test_answers_in_a_channel_are_edited_in_turns() -> None:
    _, shown = run_in_virtual_time(answers((0.0, 40.0), (0.0, 40.0), (0.0, 40.0)))
    counts = [len(s.edits) for s in shown]
    assert max(counts) - min(counts) <= 1
    assert min(counts) >= 5


def test_an_answer_that_goes_on_when_others_have_ended_is_edited_more_often_again() -> None:
    _, shown = run_in_virtual_time(answers((0.0, 60.0), (0.0, 10.0), (0.0, 10.0)))
    late = [at for at in shown[0].edits if at > 20.0]
    assert len(late) >= 20


def test_an_answer_is_shown_no_more_once_another_takes_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[str] = []

    async def edit(message: object, content: str, **options: object) -> None:
        shown.append(content.split("\n")[0])

    async def abandon_between_two_edits() -> None:
        channel = discord.PartialMessageable(state=None, id=1)  # type: ignore[arg-type]
        messages = [discord.PartialMessage(channel=channel, id=1)]
        look = Look(Texts(Config(), "en"), asker=1, question=1)
        unused: Any = None
        view = DiscordView(look, unused, unused, Pace(), WrittenAnswers(), messages)
        reply = Reply(asker="1", effort=Effort.LOW, show_reasoning=False)
        following = asyncio.create_task(view.follow(reply))
        for text in ("One", "One two"):
            reply.text = text
            reply.change(ReplyState.WRITING)
            await asyncio.sleep(0.1)
        reply.abandon()
        await following

    monkeypatch.setattr(discord.PartialMessage, "edit", edit)
    run_in_virtual_time(abandon_between_two_edits())
    assert shown == ["One"]
