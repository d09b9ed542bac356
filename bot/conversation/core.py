"""The parts of the bot that every platform works with."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from bot.config import Config
from bot.conversation.commands import CommandError, Context, run_text
from bot.conversation.commands.definition import Conversation
from bot.conversation.events import Author, Place
from bot.conversation.responder import Responder
from bot.conversation.settings import resolve
from bot.conversation.texts import Texts
from bot.inference.client import InferenceClient
from bot.storage import StorageError, Store

log = structlog.get_logger()


@dataclass(frozen=True)
class Core:
    """What a platform adapter is given. `config` returns the configuration in force now."""

    config: Callable[[], Config]
    store: Store
    client: InferenceClient
    responder: Responder

    async def texts(self, place: Place) -> Texts:
        """The bot's own words in the language of `place`."""
        config = self.config()
        settings = resolve(config, place, await self.store.get_settings(place.scopes()))
        return Texts(config, settings.language.value)

    async def command(
        self, line: str, place: Place, author: Author, conversation: Conversation
    ) -> str:
        """Carry out a command typed as text; the answer says what happened, or why nothing did."""
        config = self.config()
        texts = Texts(config, config.defaults.language)
        try:
            texts = await self.texts(place)
            context = Context(
                place=place,
                author=author,
                conversation=conversation,
                config=config,
                texts=texts,
                store=self.store,
                client=self.client,
                responder=self.responder,
            )
            return await run_text(line, context)
        except CommandError as error:
            return str(error)
        except StorageError as error:
            log.error("a command failed", error=str(error))
            return texts("storage_failed")
