"""The bot between the double of Discord and a scripted inference server."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.discord import Channel, DiscordDouble, Guild, Message, Person
from tests.doubles.inference import ScriptedInference, Step
from tests.end_to_end.in_process import InProcessBot, in_process
from tests.end_to_end.processes import Bot, piped, write_config
from tests.waiting import HANG_SECONDS


@dataclass
class Scene:
    """A server with a channel, a person who asks, and a bot."""

    discord: DiscordDouble
    inference: ScriptedInference
    folder: Path
    guild: Guild
    general: Channel
    ann: Person
    ben: Person
    bot: Bot | InProcessBot

    def script(self, *steps: Step) -> None:
        self.inference.script(*steps)

    async def answer_to(self, question: Message) -> Message:
        """The last message of the finished answer: it has no Stop button any more."""

        def finished() -> Message | None:
            channel = question.thread or question.channel
            found = [m for m in channel.from_bot if m.id > question.id and ended(m)]
            return found[-1] if found else None

        return await self.discord.until(finished)

    async def ask(self, text: str, person: Person | None = None, **options: Any) -> Message:
        """Ask with a mention and wait for the answer."""
        question = (person or self.ann).say(self.general, f"@bot {text}", **options)
        return await self.answer_to(question)

    async def told(self, question: Message) -> str:
        """The bot's line of its own in reply to `question`."""
        return (await self.discord.until(lambda: next(iter(question.replies), None))).text


def ended(message: Message) -> bool:
    return "👎" in message.buttons or "Delete" in message.buttons


Running = Callable[..., AbstractAsyncContextManager[Scene]]


@pytest.fixture
async def running(tmp_path: Path) -> Running:
    """Starts a bot with sections of configuration, and options of the double.

    It runs in this process unless `own_process`, and Discord allows any number of calls unless
    `true_limits`.
    """

    @asynccontextmanager
    async def run(
        *,
        message_content: bool = False,
        own_process: bool = False,
        true_limits: bool = False,
        prepare: Callable[[DiscordDouble, Guild, Channel], dict[str, Any]] | None = None,
        server: ScriptedInference | None = None,
        **sections: Any,
    ) -> AsyncIterator[Scene]:
        double = DiscordDouble()
        double.message_content = message_content
        double.acknowledge_within = HANG_SECONDS
        if not true_limits:
            double.limits.loosen()
        async with double.running(), (server or ScriptedInference()).running() as inference:
            guild = double.guild("Home")
            general = guild.channel("general")
            if prepare is not None:
                sections |= prepare(double, guild, general)
            discord = {"token": double.token, "api_url": double.api_url}
            sections["discord"] = discord | sections.get("discord", {})
            scripted = {"url": inference.url, "model": "scripted"}
            sections["inference"] = scripted | sections.get("inference", {})
            config = write_config(tmp_path, **sections)
            start = piped(config, command="run") if own_process else in_process(config)
            async with start as bot:
                ann, ben = guild.member("Ann"), guild.member("Ben")
                await bot.err.see("discord is connected")
                yield Scene(double, inference, tmp_path, guild, general, ann, ben, bot)
                assert '"exception"' not in bot.err.text

    return run


@pytest.fixture
async def scene(running: Running) -> AsyncIterator[Scene]:
    async with running() as scene:
        yield scene


@pytest.fixture
async def scene_of_process(running: Running) -> AsyncIterator[Scene]:
    """With a bot that has a process of its own."""
    async with running(own_process=True) as scene:
        yield scene
