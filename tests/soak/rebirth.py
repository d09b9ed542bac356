"""The bot's process is killed while it answers, and the next one finds what was left."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.doubles.discord import DiscordDouble
from tests.doubles.inference import Say, ScriptedInference, Wait
from tests.doubles.slack import SlackDouble
from tests.end_to_end.processes import Bot, piped, write_config
from tests.platforms.discord.conftest import ended as ended_on_discord
from tests.platforms.slack.conftest import ended as ended_on_slack
from tests.soak.drill import Drill, Outcome, Scale

QUESTIONS = 5
SECONDS = 1.5
"""The kill comes within so many seconds of the questions."""


@asynccontextmanager
async def answering(
    folder: Path, inference: ScriptedInference, connected: str, **sections: Any
) -> AsyncIterator[Bot]:
    """A bot that is connected; a connection says `connected` in its log."""
    sections["inference"] = {"url": inference.url, "model": "scripted"}
    async with piped(write_config(folder, **sections), command="run") as bot:
        await bot.err.see(connected)
        yield bot


async def killed_and_reborn(
    inference: ScriptedInference,
    scale: Scale,
    start: Callable[[], Any],
    people: Sequence[Any],
    channel: Any,
    answers_to: Callable[[Any], list[bool]],
    until: Callable[[Callable[[], bool]], Any],
) -> Outcome:
    """Rounds of five questions and a kill; each question gets one answer that has ended.

    people: each asks one of a round's questions, in `channel`.
    answers_to: for each of the bot's messages about a question, whether it has ended.
    """
    rounds, moments = max(scale.times // 33, 1), random.Random(0)
    asked: list[Any] = []
    for turn in range(rounds):
        go_on = asyncio.Event()
        inference.default = [Say("One "), Wait(go_on), Say("two.")]
        async with start() as bot:
            questions = [person.say(channel, f"@bot question {turn}") for person in people]
            await asyncio.sleep(moments.uniform(0, SECONDS))
            bot.process.kill()
            await bot.process.wait()
        go_on.set()
        inference.default = [Say("One two.")]
        async with start() as bot:
            for question in questions:
                await until(lambda question=question: any(answers_to(question)))  # type: ignore[misc]
            bot.process.terminate()
            await bot.process.wait()
        asked += questions
    once = sum(answers_to(question) == [True] for question in asked)
    assert once == len(asked), f"{once} of {len(asked)} were answered once"
    return Outcome(rounds, f"{once} of {len(asked)} questions were answered once, none is left")


async def on_discord(folder: Path, scale: Scale) -> Outcome:
    double = DiscordDouble()
    async with double.running(), ScriptedInference().running() as inference:
        guild = double.guild("Home")
        general = guild.channel("general")
        people = [guild.member(f"Person{number}") for number in range(QUESTIONS)]

        def start() -> Any:
            discord = {"token": double.token, "api_url": double.api_url}
            return answering(folder, inference, "discord is connected", discord=discord)

        def answers_to(question: Any) -> list[bool]:
            return [ended_on_discord(m) for m in question.replies if m.author is double.bot]

        return await killed_and_reborn(
            inference, scale, start, people, general, answers_to, double.until
        )


async def on_slack(folder: Path, scale: Scale) -> Outcome:
    double = SlackDouble()
    async with double.running(), ScriptedInference().running() as inference:
        team = double.workspace("Home")
        general = team.channel("general")
        people = [team.member(f"Person{number}") for number in range(QUESTIONS)]

        def start() -> Any:
            slack = {"bot_token": double.bot_token, "api_url": double.api_url}
            slack["app_token"] = double.app_token
            return answering(folder, inference, "slack is connected", slack=slack)

        def answers_to(question: Any) -> list[bool]:
            return [ended_on_slack(m) for m in question.root.replies if m.author.is_bot]

        return await killed_and_reborn(
            inference, scale, start, people, general, answers_to, double.until
        )


PROMISE = "each question is answered once, or its message says that it was cut off"
DRILLS = [
    Drill("kill -9 of the bot while five on Discord are answered", PROMISE, on_discord),
    Drill("kill -9 of the bot while five on Slack are answered", PROMISE, on_slack),
]
