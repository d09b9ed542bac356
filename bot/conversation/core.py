"""The parts of the bot that every platform works with."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from bot.client import InferenceClient
from bot.config import Config
from bot.conversation.commands import (
    COMMANDS,
    CommandCall,
    CommandError,
    CommandResult,
    Context,
    Conversation,
)
from bot.conversation.events import Author, Place, QuestionKey
from bot.conversation.gate import AccessDenied, Admission, NotAdmitted, admit, check_access
from bot.conversation.importing import PersonaDrafts
from bot.conversation.in_effect import InEffect
from bot.conversation.responder import Responder
from bot.conversation.settings import Settings, resolve
from bot.conversation.texts import Texts
from bot.storage import StorageError, Store, TakenQuestion

log = structlog.get_logger()


@dataclass(frozen=True)
class Core:
    """What a platform adapter is given. `config` returns the configuration as it is now."""

    config: Callable[[], Config]
    store: Store
    client: InferenceClient
    responder: Responder
    drafts: PersonaDrafts = field(default_factory=PersonaDrafts)
    started: float = field(default_factory=time.monotonic)

    async def read(self, place: Place) -> InEffect:
        """What is in effect at `place`, in one transaction. Raises StorageError."""
        stored = await self.store.place(place.platform, place.server, place.scopes())
        return InEffect.at(place, self.config(), stored)

    async def settings(self, place: Place) -> Settings:
        """The settings in effect at `place`, which may be some seconds old.

        For messages that nobody may have meant for the bot: where the database fails, what the
        configuration file says.
        """
        try:
            stored = await self.store.settings.recent(tuple(place.scopes()))
        except StorageError as error:
            log.error("the settings can't be read", error=str(error))
            stored = {}
        return resolve(self.config(), place, stored)

    async def take(self, question: QuestionKey, place: Place) -> InEffect | None:
        """Take a question, and read what is in effect; None where any process took it before.

        Raises StorageError.
        """
        taken, scopes = _taken(question, place), place.scopes()
        stored = await self.store.take_question(taken, scopes, joins=not place.direct)
        return None if stored is None else InEffect.at(place, self.config(), stored)

    async def settle(self, question: QuestionKey, place: Place) -> None:
        """Note that a taken question gets no answer, so that no later run takes it again."""
        try:
            await self.store.questions.settle(_taken(question, place))
        except StorageError as error:
            log.error("a question could not be noted as done", error=str(error))

    async def admit(
        self, here: InEffect, author: Author, question: QuestionKey, asker: str
    ) -> Admission:
        """Let the author have one answer to the question that `asker` wrote.

        Raises NotAdmitted, StorageError.
        """
        return await admit(here, author, question, asker, self.store)

    def context(self, here: InEffect, author: Author, conversation: Conversation) -> Context:
        """What a command that the author gives here works on."""
        return Context(
            here=here,
            author=author,
            conversation=conversation,
            store=self.store,
            client=self.client,
            responder=self.responder,
            drafts=self.drafts,
            started=self.started,
        )

    async def run(self, call: CommandCall, context: Context) -> CommandResult:
        """Carry out a command; the result says what happened, or why nothing did."""
        try:
            _check_access(call, context)
            return CommandResult(await call.run(context), then=COMMANDS.get(call.command.then))
        except (NotAdmitted, CommandError, StorageError) as error:
            access_denied = isinstance(error, AccessDenied)
            return CommandResult(self.explained(error), done=False, access_denied=access_denied)

    async def fill_form(self, call: CommandCall, context: Context) -> dict[str, str]:
        """The values that the call's form begins with, by option. Raises CommandError."""
        try:
            _check_access(call, context)
            return await call.fill_form(context)
        except (NotAdmitted, StorageError) as error:
            raise CommandError(self.explained(error)) from error

    def explained(self, error: NotAdmitted | CommandError | StorageError) -> str:
        """What to tell the person about an error, in one line."""
        return self.storage_failed(error) if isinstance(error, StorageError) else str(error)

    def storage_failed(self, error: StorageError) -> str:
        """Log the error; what to tell the person, in the default language."""
        log.error("the database failed", error=str(error))
        config = self.config()
        return Texts(config, config.defaults.language)("storage_failed")


def _taken(question: QuestionKey, place: Place) -> TakenQuestion:
    return TakenQuestion(
        place.platform, question.bot, question.message, place.server, place.channel, place.thread
    )


def _check_access(call: CommandCall, context: Context) -> None:
    """Raise NotAdmitted if the command needs access to the bot and its author has none."""
    if not call.command.for_anybody:
        check_access(context.here, context.author)
