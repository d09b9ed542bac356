"""What a platform hands to the core: messages, authors, places and questions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

from bot.storage import ScopeKey
from bot.tools import SearchHere


@dataclass(frozen=True)
class Author:
    """Who wrote a message. `moderator` and `admin` are the platform's view of their rights here."""

    id: str
    name: str
    is_bot: bool = False
    """True for this bot's own messages: they become the assistant's turns."""
    is_app: bool = False
    """Another bot or a webhook: what it posts is told to the model under its name."""
    moderator: bool = False
    admin: bool = False
    roles: frozenset[str] = frozenset()
    """Ids of the roles or groups that the person has here."""
    zone: tzinfo | None = None
    """The person's time zone, where the platform tells it."""


@dataclass(frozen=True)
class Attachment:
    """A file that came with a message, as the model is told of it."""

    name: str
    text: str | None
    """None where it can't be read."""
    kind: str = "file"
    """Or picture, sound, video."""
    note: str = ""
    """What the model has to know about it: why there is no text, or that there is more."""


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    id: str
    author: Author
    text: str
    attachments: Sequence[Attachment] = ()
    notices: Sequence[str] = ()
    """Lines for the person: what of the message could not be read."""
    foreign: bool = False
    """Whether words of others stand in it: forwarded, quoted, or of a page that it links to.

    An answer of the bot's is made from such words, or may be.
    """

    @property
    def may_give_orders(self) -> bool:
        """Whether somebody who can't speak to the bot may have written what it says."""
        if self.author.is_bot:  # its answers have files of its own
            return self.foreign
        files = any(attachment.text is not None for attachment in self.attachments)
        return self.author.is_app or self.foreign or files


@dataclass(frozen=True)
class Place:
    """Where a message stands. In a direct message, the server is the person's own."""

    platform: str
    server: str
    channel: str
    thread: str | None = None
    category: str | None = field(default=None, compare=False)
    """What the channel is filed under, where the platform has that."""
    direct: bool = field(default=False, compare=False)
    """Whether this is a private conversation with the bot."""
    local: bool = field(default=False, compare=False)
    """Whether this is the operator's own terminal, where access lists don't hold."""

    def scopes(self) -> list[ScopeKey]:
        """The scopes that settings can be made for here, the narrowest first."""
        scopes = [
            ScopeKey(self.platform, "channel", self.channel),
            ScopeKey(self.platform, "server", self.server),
        ]
        if self.thread is not None:
            scopes.insert(0, ScopeKey(self.platform, "thread", self.thread))
        return scopes


@dataclass(frozen=True)
class QuestionKey:
    """What a question is known by: the ids of the bot that hears it and of its message."""

    bot: str
    message: str


@dataclass(frozen=True)
class Question:
    """A message that wants an answer, with the conversation before it, oldest first."""

    message: Message
    history: Sequence[Message] = field(default=(), repr=False)
    above: Sequence[Message] = field(default=(), repr=False)
    """What stands above in the channel, before the conversation begins: context, no turns of it."""
    notices: Sequence[str] = ()
    """Lines for the person about what could not be read."""
    search: SearchHere | None = field(default=None, repr=False)
    """The platform's own search, with the asker's rights; None where there is none."""
