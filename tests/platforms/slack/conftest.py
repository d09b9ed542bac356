"""The bot between the double of Slack and a scripted inference server."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.doubles.inference import ScriptedInference, Step
from tests.doubles.slack import Channel, Message, Person, SlackDouble, Workspace
from tests.end_to_end.in_process import InProcessBot, in_process
from tests.end_to_end.processes import Bot, piped, write_config
from tests.waiting import HANG_SECONDS


@dataclass
class Scene:
    """A workspace with a channel, people who ask, and a bot."""

    slack: SlackDouble
    inference: ScriptedInference
    folder: Path
    team: Workspace
    general: Channel
    ann: Person
    ben: Person
    bot: Bot | InProcessBot

    def script(self, *steps: Step) -> None:
        self.inference.script(*steps)

    async def answer_to(self, question: Message) -> Message:
        """The last message of the finished answer: it has no Stop button any more."""

        def finished() -> Message | None:
            found = [m for m in question.root.replies if m.ts > question.ts and ended(m)]
            return found[-1] if found else None

        return await self.slack.until(finished)

    async def ask(
        self, text: str, person: Person | None = None, thread: Message | None = None, **options: Any
    ) -> Message:
        """Ask with a mention and wait for the answer."""
        question = (person or self.ann).say(self.general, f"@bot {text}", thread=thread, **options)
        return await self.answer_to(question)

    async def told(self, question: Message) -> str:
        """The bot's lines of its own in the thread of `question`, or those that its author sees."""

        def found() -> str | None:
            seen = [m for m in question.root.replies if m.author.is_bot and m.ts > question.ts]
            if isinstance(question.author, Person):
                seen += question.author.ephemerals
            return seen[-1].text if seen else None

        return await self.slack.until(found)

    def last_prompt(self) -> list[dict[str, str]]:
        return self.inference.prompts[-1]


def ended(message: Message) -> bool:
    return "Delete" in message.buttons


Running = Callable[..., AbstractAsyncContextManager[Scene]]


@pytest.fixture
async def running(tmp_path: Path) -> Running:
    """Starts a bot with sections of configuration, by Socket Mode unless `http`.

    It runs in this process unless `own_process`, and Slack allows any number of calls unless
    `true_limits`.
    """

    @asynccontextmanager
    async def run(
        *,
        http: bool = False,
        own_process: bool = False,
        true_limits: bool = False,
        prepare: Callable[[SlackDouble, Workspace, Channel], dict[str, Any]] | None = None,
        server: ScriptedInference | None = None,
        **sections: Any,
    ) -> AsyncIterator[Scene]:
        double = SlackDouble()
        double.acknowledge_within = double.trigger_life = HANG_SECONDS
        if not true_limits:
            double.limits.loosen()
        async with double.running(), (server or ScriptedInference()).running() as inference:
            team = double.workspace("Home")
            general = team.channel("general")
            ann, ben = team.member("Ann"), team.member("Ben")
            if prepare is not None:
                sections |= prepare(double, team, general)
            slack = {"bot_token": double.bot_token, "api_url": double.api_url}
            if http:
                slack |= {"listen": "127.0.0.1:0", "signing_secret": double.signing_secret}
            else:
                slack["app_token"] = double.app_token
            sections["slack"] = slack | sections.get("slack", {})
            sections["inference"] = {"url": inference.url, "model": "scripted"}
            config = write_config(tmp_path, **sections)
            start = piped(config, command="run") if own_process else in_process(config)
            async with start as bot:
                line = await bot.err.see(r"slack is (connected|listened to.*\n)")
                if http:
                    address = line.partition('"address": "')[2].partition('"')[0]
                    double.deliver_to(f"http://{address}/slack/events")
                await double.connected()
                yield Scene(double, inference, tmp_path, team, general, ann, ben, bot)
                assert '"exception"' not in bot.err.text, bot.err.text

    return run


@pytest.fixture
async def scene(running: Running) -> AsyncIterator[Scene]:
    async with running() as scene:
        yield scene


@pytest.fixture(params=["socket", "http"])
async def either(running: Running, request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    """The scene once by Socket Mode and once by HTTP."""
    async with running(http=request.param == "http") as scene:
        yield scene


@pytest.fixture(params=["socket", "http"])
async def either_of_process(
    running: Running, request: pytest.FixtureRequest
) -> AsyncIterator[Scene]:
    """As `either`, with a bot that has a process of its own."""
    async with running(own_process=True, http=request.param == "http") as scene:
        yield scene


@pytest.fixture
def manifest() -> dict[str, Any]:
    path = Path(__file__).parents[3] / "config/slack-manifest.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))
