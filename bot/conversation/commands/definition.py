"""The definition of a command, which each platform registers in its own way; or it is typed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from bot.client import InferenceClient
from bot.config import Config, Permission, PermissionsConfig, ServerConfig
from bot.conversation.events import Author, Place
from bot.conversation.importing import PersonaDrafts
from bot.conversation.in_effect import InEffect
from bot.conversation.responder import Responder
from bot.conversation.texts import Texts
from bot.storage import ScopeKey, Store


class OptionKind(StrEnum):
    """What an option takes: platforms offer choices for the first four."""

    EFFORT = "effort"
    PERSONA = "persona"
    SCOPE = "scope"
    SETTING = "setting"
    NAME = "name"
    FILE = "file"
    """A file that comes with the command; never typed."""
    VALUE = "value"
    CHANNEL = "channel"
    """A channel; typed as the last word, with a # before its name."""
    SINCE = "since"
    """Several words, such as `3 days`; typed before a channel."""
    TEXT = "text"
    """Text to the end of the line; only as the last option that is typed."""
    DESCRIPTION = "description"


@dataclass(frozen=True)
class Option:
    """One argument of a command."""

    kind: OptionKind
    about: str = ""
    """The key of the text that says what it is for, where a menu asks for it."""
    required: bool = True
    form_only: bool = False
    """Asked for in a form, where the platform has forms; never typed."""

    @property
    def name(self) -> str:
        return {OptionKind.EFFORT: "level", OptionKind.PERSONA: "name"}.get(self.kind, self.kind)


SERVER_NAMES = {"slack": "workspace"}
"""What people call a server, by the platform."""


class CommandError(Exception):
    """A command can't be carried out; the message is one line for the person."""


class Conversation(Protocol):
    """What commands ask of the platform about the conversation they were typed in."""

    async def start_over(self) -> None:
        """Let nothing said so far be part of a later prompt."""

    async def is_of(self, person: str) -> bool:
        """Whether a thread is the person's own: they began it."""
        ...

    async def regenerate(self, author: Author) -> bool:
        """Answer the person's last question again; False if there is none. Raises NotAdmitted."""
        ...

    async def attached(self, here: InEffect) -> tuple[str, bytes] | None:
        """The name and the contents of the file that came with the command, if one did.

        Raises CommandError.
        """

    async def summarize(
        self, here: InEffect, author: Author, since: datetime | None, channel: str
    ) -> None:
        """Begin to tell the author, in private, what was said.

        since: in UTC; None for since the author's last message.
        channel: as it was given, "" for this one.
        Raises NotAdmitted, CommandError, StorageError.
        """


@dataclass(frozen=True, kw_only=True)
class Context:
    """Who gave a command where, and the parts of the bot that commands work on."""

    here: InEffect
    author: Author
    conversation: Conversation
    store: Store
    client: InferenceClient
    responder: Responder
    drafts: PersonaDrafts
    started: float
    """When the bot started, as time.monotonic()."""

    @property
    def place(self) -> Place:
        return self.here.place

    @property
    def config(self) -> Config:
        return self.here.config

    @property
    def texts(self) -> Texts:
        return self.here.texts

    def scope(self, name: str | None) -> ScopeKey:
        """The scope called `name` here, or the narrowest one. Raises CommandError."""
        scopes = self.place.scopes()
        if name is None:
            return scopes[0]
        names = {scope.kind: self._typed_name(scope.kind) for scope in scopes}
        for scope in scopes:
            if name.lower() in (scope.kind, names[scope.kind]):
                return scope
        allowed = self.texts.choice(names.values())
        raise CommandError(self.texts("bad_scope", found=name, allowed=allowed))

    def _typed_name(self, kind: str) -> str:
        """What people type for a kind of scope."""
        return SERVER_NAMES.get(self.place.platform, kind) if kind == "server" else kind

    def require_change(self, kind: str, refusal: str = "not_allowed") -> None:
        """Raise CommandError unless the author may change what this kind of scope has.

        refusal: the key of the text that says so.
        """
        server = self.config.servers.get(self.place.server, ServerConfig())
        permissions: PermissionsConfig = server.permissions or self.config.defaults.permissions
        needed = {
            "thread": Permission.EVERYONE,
            "channel": Permission.EVERYONE if self.place.direct else permissions.change_channel,
            "server": permissions.change_server,
        }[kind]
        allowed = {
            Permission.EVERYONE: True,
            Permission.MODERATORS: self.author.moderator or self.author.admin,
            Permission.ADMINS: self.author.admin,
        }
        if not allowed[needed]:
            scope = self.texts(f"scope_{kind}")
            raise CommandError(self.texts(refusal, scope=scope, needed=self.texts(needed)))


Handler = Callable[..., Awaitable[str]]
"""Takes the Context and the options as keywords; returns the answer to show."""

FillForm = Callable[..., Awaitable[dict[str, str]]]
"""Takes the Context and the options given so far; returns the values that a form begins with."""


@dataclass(frozen=True)
class Command:
    """`name` is one word, or a group's name and a word: `persona use`."""

    name: str
    handler: Handler
    options: tuple[Option, ...] = ()
    for_anybody: bool = False
    """Also for those who may not use the bot here."""
    fill_form: FillForm | None = None
    """Set for commands that open a form, where the platform has forms."""
    then: str = ""
    """The command that its answer proposes, where the platform has buttons."""

    @property
    def about(self) -> str:
        """The key of the text that says what it does."""
        return f"command_{self.name.replace(' ', '_')}"

    @property
    def usage(self) -> str:
        shown = (f"<{o.name}>" if o.required else f"[{o.name}]" for o in self.typed_options)
        return " ".join([f"/{self.name}", *shown])

    @property
    def typed_options(self) -> list[Option]:
        """Those of the command typed as text."""
        never = OptionKind.FILE
        return [option for option in self.options if not option.form_only and option.kind != never]

    @property
    def form_options(self) -> list[Option]:
        """Those that the command's form asks for; the others come before it."""
        if self.fill_form is None:
            return []
        in_form = (OptionKind.NAME, OptionKind.TEXT)
        return [option for option in self.options if option.form_only or option.kind in in_form]
