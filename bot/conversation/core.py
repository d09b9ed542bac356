"""The parts of the bot that every platform works with."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from bot.client import InferenceClient
from bot.config import Config
from bot.conversation import metrics
from bot.conversation.access import refusal
from bot.conversation.commands import Call, CommandError, Context, Conversation, Result, parse
from bot.conversation.events import Author, Place
from bot.conversation.in_effect import InEffect
from bot.conversation.responder import Responder
from bot.conversation.texts import Texts
from bot.storage import StorageError, Store

log = structlog.get_logger()


@dataclass(frozen=True)
class Core:
    """What a platform adapter is given. `config` returns the configuration as it is now."""

    config: Callable[[], Config]
    store: Store
    client: InferenceClient
    responder: Responder
    started: float = field(default_factory=time.monotonic)

    async def read(self, place: Place) -> InEffect:
        """What is in effect at `place`, in one transaction. Raises StorageError."""
        stored = await self.store.place(place.platform, place.server, place.scopes())
        return InEffect.at(place, self.config(), stored)

    async def refusal(self, here: InEffect, author: Author) -> str | None:
        """Why the author may not ask here now, in one line; None: they may.

        Raises StorageError.
        """
        reason = await refusal(here, self.store, author, datetime.now(UTC))
        if reason is not None:
            metrics.REFUSALS.labels(here.place.platform).inc()
        return reason

    def context(self, here: InEffect, author: Author, conversation: Conversation) -> Context:
        """What a command that the author gives here works on."""
        return Context(
            here=here,
            author=author,
            conversation=conversation,
            store=self.store,
            client=self.client,
            responder=self.responder,
            started=self.started,
        )

    async def run(self, given: str | Call, context: Context) -> Result:
        """Carry out a typed line or a call; the result says what happened, or why nothing did."""
        try:
            call = parse(given, context.texts) if isinstance(given, str) else given
            return Result(await call.run(context), call.command.private)
        except CommandError as error:
            return Result(str(error), private=True, done=False)
        except StorageError as error:
            return Result(self.storage_failed(error), private=True, done=False)

    async def fill_form(self, call: Call, context: Context) -> dict[str, str]:
        """The values that the call's form begins with, by option. Raises CommandError."""
        try:
            return await call.fill_form(context)
        except StorageError as error:
            raise CommandError(self.storage_failed(error)) from error

    def explained(self, error: CommandError | StorageError) -> str:
        """What to tell the person about an error."""
        return str(error) if isinstance(error, CommandError) else self.storage_failed(error)

    def storage_failed(self, error: StorageError) -> str:
        """Log the error; what to tell the person, in the default language."""
        log.error("the database failed", error=str(error))
        config = self.config()
        return Texts(config, config.defaults.language)("storage_failed")
