"""What the bot says besides answers: refusals, what buttons say, and what commands answer."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.config import Config
from bot.conversation.events import Author, Place
from bot.conversation.texts import Texts
from tests.conversation.conftest import Chat, chatting
from tests.doubles.inference import Say, ScriptedInference

ANN = Author("1", "Ann")
ADA = Author("2", "Ada", moderator=True, admin=True)
REFUSALS = ("not_here", "dms_off", "empty_question", "not_yours")
PRESSED = ("question_gone", "thanks", "nothing_to_stop")
COMMANDS = (
    "/help",
    "/settings",
    "/effort high",
    "/effort low server",
    "/effort max",
    "/effort low galaxy",
    "/effort",
    "/efort high",
    "/xyzzy",
    "/persona riddles",
    "/persona riddles server",
    "/persona ridles",
    "/persona zzz",
    "/persona list",
    "/persona show riddles",
    "/persona create pirate Talk like a pirate.",
    "/persona create pirate Talk like a parrot.",
    "/persona create No! Talk like a pirate.",
    "/persona edit pirate Arr, always.",
    "/persona history pirate",
    "/persona undo pirate",
    "/persona import",
    "/summary soon",
    "/persona delete pirate",
    "/persona delete riddles",
    "/persona history riddles",
    "/persona undo riddles",
    "/set answer always",
    "/set answer sometimes",
    "/set volume 11",
    "/settings",
    "/summary blurb",
    "/stop",
    "/regenerate",
    "/details",
    "/new",
    "/status",
    "/privacy",
    "/forget",
)
"""In this order: each sees what those before it have changed."""
NOT_ALLOWED = ("/effort high", "/effort high server", "/new")


def lines(texts: Texts) -> Iterator[tuple[str, str]]:
    """Single lines, by name."""
    for key in (*REFUSALS, *PRESSED):
        yield key, texts(key)
    for key in ("quota_user", "quota_server"):
        yield key, texts(key, wait=texts.duration(3 * 3600))


async def commands(place: Place, language: str) -> AsyncIterator[tuple[str, str]]:
    """What each command answers at `place`, by what was typed."""
    async with _chat(language) as chat:
        chat.inference.script(Say(reasoning="Hm."), Say("42."))
        await chat.answer("What is six times seven?", ADA, place)
        for line in COMMANDS:
            yield line, await chat.command(line, ADA, place)
        for line in NOT_ALLOWED:
            yield f"{line}, without the right to", await chat.command(line, ANN, place)


async def settings(place: Place, language: str) -> str:
    """What /settings answers where nothing was set."""
    async with _chat(language) as chat:
        return await chat.command("/settings", ADA, place)


@asynccontextmanager
async def _chat(language: str) -> AsyncIterator[Chat]:
    with tempfile.TemporaryDirectory() as folder:
        async with chatting(ScriptedInference(), Path(folder)) as chat:
            chat.configure(Config.model_validate({"defaults": {"language": language}}))
            yield chat
