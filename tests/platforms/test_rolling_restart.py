"""Two bots on one PostgreSQL are restarted one after the other while people go on asking."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bot.exit_code import ExitCode
from tests.doubles.discord import DiscordDouble
from tests.doubles.inference import Say, ScriptedInference
from tests.doubles.slack import SlackDouble
from tests.end_to_end.processes import Bot, piped, write_config
from tests.platforms.discord.conftest import ended as ended_on_discord
from tests.platforms.slack.conftest import ended as ended_on_slack
from tests.waiting import HANG_SECONDS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("database", ["postgresql"], indirect=True),
]

PEOPLE = 4
"""In each place; each asks the next question once the last one is answered."""
BEFORE = 12
"""Questions before the first restart, between the two, and after the second."""


@dataclass
class Stage:
    """A platform with people who ask in turn, and two bots.

    people: each puts the next question.
    answers: of a question: for each of the bot's messages about it, whether it has ended.
    configs: of the two bots; `connected` is what they log.
    until: waits for something on the platform.
    """

    people: list[Callable[[], Any]]
    answers: Callable[[Any], list[bool]]
    configs: list[Path]
    connected: str
    until: Callable[[Callable[[], bool]], Any]
    bots: list[Bot] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)

    async def load(self) -> None:
        """Ask until cancelled."""
        await asyncio.gather(*map(self._go_on_asking, self.people))

    async def _go_on_asking(self, ask: Callable[[], Any]) -> None:
        while True:
            question = ask()
            self.asked.append(question)
            while not any(self.answers(question)):  # noqa: ASYNC110 (longer than a test waits)
                await asyncio.sleep(0.05)

    async def more(self) -> None:
        """Wait for some more questions."""
        until = len(self.asked) + BEFORE
        await self.until(lambda: len(self.asked) >= until)

    @asynccontextmanager
    async def bot(self, at: int) -> AsyncIterator[Bot]:
        async with piped(self.configs[at], command="run") as bot:
            await bot.err.see(self.connected)
            yield bot
            assert '"exception"' not in bot.err.text, bot.err.text


def _ask(person: Any, channel: Any, numbers: Iterator[int]) -> Any:
    return person.say(channel, f"@bot {next(numbers)}")


def configured(folder: Path, database: str, url: str, number: int, **sections: Any) -> Path:
    place = folder / str(number)
    place.mkdir()
    inference = {"url": url, "model": "scripted"}
    return write_config(place, inference=inference, storage={"url": database}, **sections)


@asynccontextmanager
async def discord(folder: Path, database: str, url: str) -> AsyncIterator[Stage]:
    """Each bot has one of two shards, and each server is in one."""
    double = DiscordDouble()
    double.limits.loosen()
    async with double.running():
        by_shard: dict[int, Any] = {}
        while len(by_shard) < 2:
            guild = double.guild("Server")
            by_shard[(guild.id >> 22) % 2] = guild
        numbers, people = count(), []
        for guild in by_shard.values():
            channel = guild.channel("general")
            for number in range(PEOPLE):
                person = guild.member(f"Person{number}")
                people.append(partial(_ask, person, channel, numbers))

        def answers(question: Any) -> list[bool]:
            return [ended_on_discord(m) for m in question.replies if m.author is double.bot]

        configs = []
        for shard in range(2):
            settings = {"token": double.token, "api_url": double.api_url}
            shards = {"shard_count": 2, "shard_ids": [shard]}
            configs.append(configured(folder, database, url, shard, discord=settings | shards))
        yield Stage(people, answers, configs, "discord is connected", double.until)


@asynccontextmanager
async def slack(folder: Path, database: str, url: str) -> AsyncIterator[Stage]:
    """Each bot has a connection, and Slack gives each event to one of them."""
    double = SlackDouble()
    double.limits.loosen()
    double.acknowledge_within = HANG_SECONDS
    async with double.running():
        team = double.workspace("Home")
        general, numbers = team.channel("general"), count()
        persons = [team.member(f"Person{number}") for number in range(PEOPLE)]
        people = [partial(_ask, person, general, numbers) for person in persons]

        def answers(question: Any) -> list[bool]:
            return [ended_on_slack(m) for m in question.root.replies if m.author.is_bot]

        settings = {"bot_token": double.bot_token, "api_url": double.api_url}
        settings["app_token"] = double.app_token
        configs = [configured(folder, database, url, n, slack=settings) for n in range(2)]
        yield Stage(people, answers, configs, "slack is connected", double.until)


@pytest.mark.parametrize("platform", [discord, slack])
async def test_a_rolling_restart_loses_and_doubles_no_question(
    platform: Callable[..., Any], database: str, tmp_path: Path
) -> None:
    async with (
        ScriptedInference().running() as inference,
        platform(tmp_path, database, inference.url) as stage,
        AsyncExitStack() as running,
    ):
        inference.default = [Say("One "), Say("two.")]
        bots = [await running.enter_async_context(stage.bot(at)) for at in range(2)]
        load = asyncio.create_task(stage.load())
        for at, bot in enumerate(bots):
            await stage.more()
            bot.stop()
            assert await bot.exit_code() == ExitCode.OK
            await running.enter_async_context(stage.bot(at))
        await stage.more()
        load.cancel()
        for question in stage.asked:
            await stage.until(lambda question=question: any(stage.answers(question)))
        outcomes = Counter(tuple(stage.answers(question)) for question in stage.asked)
        assert outcomes == {(True,): len(stage.asked)}
