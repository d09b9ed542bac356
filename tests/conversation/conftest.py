"""A whole core on a real database and a scripted inference server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.client import InferenceClient
from bot.config import Config
from bot.conversation.commands import Call, Context, Result
from bot.conversation.core import Core
from bot.conversation.events import Author, Message, Place, Question
from bot.conversation.reply import Reply
from bot.conversation.responder import Responder
from bot.storage import Store
from tests.doubles.inference import ScriptedInference

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
    forgotten: list[str] = field(default_factory=list)
    regenerates: bool = False

    async def command(self, line: str, author: Author = ADMIN, place: Place = CHANNEL) -> str:
        return (await self.run(line, author, place)).text

    async def run(
        self, given: str | Call, author: Author = ADMIN, place: Place = CHANNEL
    ) -> Result:
        return await self.core.run(given, await self.context(author, place))

    async def context(self, author: Author = ADMIN, place: Place = CHANNEL) -> Context:
        return self.core.context(await self.core.read(place), author, self)

    async def refusal(self, place: Place, author: Author) -> str | None:
        return await self.core.refusal(await self.core.read(place), author)

    async def forget(self) -> None:
        self.forgotten.append("forgotten")

    async def regenerate(self) -> bool:
        return self.regenerates

    async def ask(self, text: str, author: Author = ANN, place: Place = CHANNEL) -> Reply:
        """Ask without waiting for the answer."""
        return await self.ask_question(Question(Message("m", author, text)), place)

    async def ask_question(self, question: Question, place: Place = CHANNEL) -> Reply:
        return self.core.responder.answer(question, await self.core.read(place))

    async def answer(self, text: str, author: Author = ANN, place: Place = CHANNEL) -> Reply:
        """Ask and wait for the final state."""
        return await finished(await self.ask(text, author, place))

    def configure(self, config: Config) -> None:
        self.configs.append(config)


async def finished(reply: Reply) -> Reply:
    async for _ in reply.updates():
        pass
    return reply


@asynccontextmanager
async def chatting(inference: ScriptedInference, folder: Path) -> AsyncIterator[Chat]:
    """A core whose inference service is `inference`."""
    configs = [Config()]
    async with (
        inference.running(),
        Store.open(f"sqlite+aiosqlite:///{folder / 'bot.db'}") as store,
    ):
        client = InferenceClient(inference.url, inference.api_key, "scripted")
        responder = Responder(store, client)
        yield Chat(Core(lambda: configs[-1], store, client, responder), inference, configs)
        await responder.drain(0)
        await client.close()


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    async with chatting(ScriptedInference(), tmp_path) as chat:
        yield chat
