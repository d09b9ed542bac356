"""The parts of the bot that every platform works with."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from bot.client import InferenceClient
from bot.config import Config
from bot.conversation import metrics
from bot.conversation.access import refusal
from bot.conversation.commands import Command, CommandError, Context, Conversation, run_text
from bot.conversation.events import Author, Place
from bot.conversation.responder import Responder
from bot.conversation.settings import Settings, resolve
from bot.conversation.texts import Texts
from bot.storage import StorageError, Store

log = structlog.get_logger()


@dataclass(frozen=True)
class Core:
    """What a platform adapter is given. `config` returns the configuration in force now."""

    config: Callable[[], Config]
    store: Store
    client: InferenceClient
    responder: Responder
    started: float = field(default_factory=time.monotonic)

    async def settings(self, place: Place) -> Settings:
        """What is in force at `place`. Raises StorageError."""
        return resolve(self.config(), place, await self.store.get_settings(place.scopes()))

    async def texts(self, place: Place) -> Texts:
        """The bot's own words in the language of `place`. Raises StorageError."""
        language = (await self.settings(place)).language.value
        return Texts(self.config(), language, place.platform)

    async def refusal(self, place: Place, author: Author) -> str | None:
        """Why the author may not ask at `place` now, in one line; None: they may.

        Raises StorageError.
        """
        texts, now = await self.texts(place), datetime.now(UTC)
        reason = await refusal(self.config(), self.store, texts, place, author, now)
        if reason is not None:
            metrics.REFUSALS.labels(place.platform).inc()
        return reason

    async def command(
        self, line: str, place: Place, author: Author, conversation: Conversation
    ) -> str:
        """Carry out a command typed as text; the answer says what happened, or why nothing did."""
        return await self._told(self._carry_out(line, place, author, conversation))

    async def run(
        self,
        command: Command,
        values: Mapping[str, str],
        place: Place,
        author: Author,
        conversation: Conversation,
    ) -> str:
        """Carry out a command whose options came one by one; the answer as for `command`."""
        return await self._told(self.run_checked(command, values, place, author, conversation))

    async def run_checked(
        self,
        command: Command,
        values: Mapping[str, str],
        place: Place,
        author: Author,
        conversation: Conversation,
    ) -> str:
        """Like `run`, but raises CommandError where nothing was done."""
        try:
            context = await self._context(place, author, conversation)
            return await command.handler(context, **values)
        except StorageError as error:
            raise CommandError(self.storage_failed(error)) from error

    async def fill_form(
        self,
        command: Command,
        values: Mapping[str, str],
        place: Place,
        author: Author,
        conversation: Conversation,
    ) -> dict[str, str]:
        """The values that the command's form begins with, by option. Raises CommandError."""
        assert command.fill_form is not None
        try:
            context = await self._context(place, author, conversation)
            return await command.fill_form(context, **values)
        except StorageError as error:
            raise CommandError(self.storage_failed(error)) from error

    async def _carry_out(
        self, line: str, place: Place, author: Author, conversation: Conversation
    ) -> str:
        return await run_text(line, await self._context(place, author, conversation))

    async def _context(self, place: Place, author: Author, conversation: Conversation) -> Context:
        return Context(
            place=place,
            author=author,
            conversation=conversation,
            config=self.config(),
            texts=await self.texts(place),
            store=self.store,
            client=self.client,
            responder=self.responder,
            started=self.started,
        )

    async def _told(self, work: Awaitable[str]) -> str:
        try:
            return await work
        except CommandError as error:
            return str(error)
        except StorageError as error:
            return self.storage_failed(error)

    def storage_failed(self, error: StorageError) -> str:
        """Log the error; what to tell the person, in the default language."""
        log.error("the database failed", error=str(error))
        config = self.config()
        return Texts(config, config.defaults.language)("storage_failed")
