"""A whole core on a real database and a scripted inference server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from bot.client import InferenceClient
from bot.config import Config, Effort
from bot.conversation.commands import CommandCall, CommandError, CommandResult, Context, parse
from bot.conversation.core import Core
from bot.conversation.events import Author, Message, Place, Question, QuestionKey
from bot.conversation.gate import Admission, NotAdmitted
from bot.conversation.in_effect import InEffect
from bot.conversation.reply import Reply
from bot.conversation.responder import Responder
from bot.storage import Store
from bot.tools import Toolbox
from tests.doubles.inference import ScriptedInference
from tests.made_database import make_database

ANN = Author("1", "Ann")
MODERATOR = Author("2", "Mo", moderator=True)
ADMIN = Author("3", "Ada", admin=True)
CHANNEL = Place("test", "server", "channel")
THREAD = Place("test", "server", "channel", "thread")


@dataclass
class Chat:
    """What a test says and sees."""

    core: Core
    inference: ScriptedInference
    configs: list[Config]
    started_over: list[str] = field(default_factory=list)
    regenerates: bool = False
    file: tuple[str, bytes] | None = None
    """What comes with the next command."""
    wishes: list[tuple[datetime | None, str]] = field(default_factory=list)
    """To catch up: since when, and on which channel."""
    threads_of: str = ""
    """Whose threads are."""
    admissions: dict[Reply, Admission] = field(default_factory=dict)

    async def command(self, line: str, author: Author = ADMIN, place: Place = CHANNEL) -> str:
        return (await self.run(line, author, place)).text

    async def run(
        self, given: str | CommandCall, author: Author = ADMIN, place: Place = CHANNEL
    ) -> CommandResult:
        context = await self.context(author, place)
        try:
            call = parse(given, context.texts) if isinstance(given, str) else given
        except CommandError as error:
            return CommandResult(str(error), done=False)
        return await self.core.run(call, context)

    async def context(self, author: Author = ADMIN, place: Place = CHANNEL) -> Context:
        return self.core.context(await self.core.read(place), author, self)

    async def refusal(self, place: Place, author: Author) -> str | None:
        """Why the author may not ask; None: they may, and nothing is counted."""
        try:
            admission = await self.admit(author, place)
        except NotAdmitted as error:
            return str(error)
        await admission.withdraw()
        return None

    async def admit(
        self, author: Author = ANN, place: Place = CHANNEL, effort: Effort | None = None
    ) -> Admission:
        here = (await self.core.read(place)).for_message(effort)
        return await self.core.admit(here, author, QuestionKey("bot", "m"), author.id)

    async def start_over(self) -> None:
        self.started_over.append("started over")

    async def is_of(self, person: str) -> bool:
        return person == self.threads_of

    async def regenerate(self, author: Author) -> bool:
        return self.regenerates

    async def attached(self, here: InEffect) -> tuple[str, bytes] | None:
        return self.file

    async def summarize(
        self, here: InEffect, author: Author, since: datetime | None, channel: str
    ) -> None:
        self.wishes.append((since, channel))

    async def ask(self, text: str, author: Author = ANN, place: Place = CHANNEL) -> Reply:
        """Ask without waiting for the answer."""
        return await self.ask_admitted(text, author, await self.admit(author, place))

    async def ask_admitted(self, text: str, author: Author, admission: Admission) -> Reply:
        question = Question(Message("m", author, text))
        reply = self.core.responder.answer(question, admission.here)
        self.admissions[reply] = admission
        return reply

    async def answer(self, text: str, author: Author = ANN, place: Place = CHANNEL) -> Reply:
        """Ask and wait for the final state."""
        return await self.ended(await self.ask(text, author, place))

    async def ended(self, reply: Reply) -> Reply:
        """Wait for the final state, and settle what was used."""
        await finished(reply)
        await self.admissions.pop(reply).end(reply.prompt_tokens, reply.completion_tokens)
        return reply

    def configure(self, config: Config) -> None:
        self.configs.append(config)


async def finished(reply: Reply) -> Reply:
    async for _ in reply.updates():
        pass
    return reply


@asynccontextmanager
async def chatting(inference: ScriptedInference, folder: Path) -> AsyncIterator[Chat]:
    """A core whose inference service is `inference`."""
    async with (
        inference.running(),
        chatting_with(inference.url, folder, inference, "scripted", inference.api_key) as chat,
    ):
        yield chat


@asynccontextmanager
async def chatting_with(
    url: str, folder: Path, inference: ScriptedInference, model: str, api_key: str = ""
) -> AsyncIterator[Chat]:
    """A core whose inference service is at `url`; `inference` is that one where it is scripted."""
    configs = [Config()]
    async with Store.open(make_database(folder / "bot.db")) as store:
        client = InferenceClient(url, api_key, model)
        responder = Responder(client, Toolbox(configs[-1], store))
        yield Chat(Core(lambda: configs[-1], store, client, responder), inference, configs)
        await responder.drain(0)
        await client.close()


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    async with chatting(ScriptedInference(), tmp_path) as chat:
        yield chat
