"""What Discord keeps: users, guilds, roles, channels, threads, messages; who may do what where."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from discord import Permissions

if TYPE_CHECKING:
    from tests.doubles.discord.interactions import Interaction
    from tests.doubles.discord.people import Person
    from tests.doubles.discord.world import World

EPOCH = 1420070400000
"""Discord's first millisecond."""
TEXT, DM, THREAD, CATEGORY, FORUM = 0, 1, 11, 4, 15
PRIVATE_THREAD = 12
"""As the API says it; here it is a THREAD that is private."""
REPLY, THREAD_CREATED, THREAD_STARTER = 19, 18, 21
HAS_THREAD, EPHEMERAL, LOADING, COMPONENTS_V2 = 1 << 5, 1 << 6, 1 << 7, 1 << 15
ACTION_ROW, BUTTON, TEXT_DISPLAY = 1, 2, 10


def bits(*names: str) -> int:
    """The permissions with these names, as Discord's number."""
    return Permissions(**dict.fromkeys(names, True)).value


ALL = Permissions.all().value
EVERYONE = bits(
    *("view_channel", "send_messages", "send_messages_in_threads", "create_public_threads"),
    *("embed_links", "attach_files", "read_message_history", "add_reactions"),
    *("use_application_commands", "external_emojis"),
)
"""What members of a new guild may do."""

_last = 0


def snowflake() -> int:
    """A new id: one a millisecond, so that later is greater."""
    global _last
    _last = max(_last + 1, int(time.time() * 1000) - EPOCH)
    return _last << 22


@dataclass(eq=False)
class User:
    name: str
    bot: bool = False
    id: int = field(default_factory=snowflake)

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"


@dataclass(eq=False)
class Role:
    name: str
    permissions: int
    id: int = field(default_factory=snowflake)

    @property
    def mention(self) -> str:
        return f"<@&{self.id}>"


@dataclass(eq=False, repr=False)
class Guild:
    """A server; `has_bot` is False where only users have installed the bot."""

    world: "World"
    name: str
    has_bot: bool = True
    id: int = field(default_factory=snowflake)
    roles: list[Role] = field(default_factory=list)
    members: dict[int, list[Role]] = field(default_factory=dict)
    """The roles of each member."""
    channels: list["Channel"] = field(default_factory=list)
    """Threads too."""

    def __post_init__(self) -> None:
        self.roles.append(Role("@everyone", EVERYONE, self.id))

    def __repr__(self) -> str:
        return f"<guild {self.name}>"

    def role(self, name: str, *permissions: str) -> Role:
        role = Role(name, bits(*permissions))
        self.roles.append(role)
        self.world.guild_changed(self, "GUILD_ROLE_CREATE", role=role)
        return role

    def member(self, name: str, *permissions: str, roles: tuple[Role, ...] = ()) -> "Person":
        """A new person in this guild, with these permissions beside everyone's."""
        return self.join(self.world.user(name), *permissions, roles=roles)

    def join(self, person: "Person", *permissions: str, roles: tuple[Role, ...] = ()) -> "Person":
        own = (self.role(f"{person.name}'s", *permissions),) if permissions else ()
        self.members[person.id] = [*roles, *own]
        self.world.guild_changed(self, "GUILD_MEMBER_ADD", member=person)
        return person

    def channel(self, name: str, category: "Channel | None" = None) -> "Channel":
        return self._add(Channel(self.world, TEXT, name, self, category))

    def forum(self, name: str) -> "Channel":
        return self._add(Channel(self.world, FORUM, name, self))

    def app(self, name: str) -> "Person":
        """Another bot; it says what `Person.say` is told to."""
        app = self.member(name)
        app.bot = True
        return app

    def category(self, name: str) -> "Channel":
        return self._add(Channel(self.world, CATEGORY, name, self))

    def _add(self, channel: "Channel") -> "Channel":
        self.world.add_channel(channel)
        self.world.channel_changed(channel, "CHANNEL_CREATE")
        return channel


@dataclass(eq=False, repr=False)
class Channel:
    """A text channel, category, thread (`parent` is its channel) or private conversation."""

    world: "World"
    type: int
    name: str = ""
    guild: Guild | None = None
    parent: "Channel | None" = None
    recipients: list[User] = field(default_factory=list)
    id: int = field(default_factory=snowflake)
    overwrites: dict[int, tuple[int, int]] = field(default_factory=dict)
    """(allowed, denied) by the id of a role or user."""
    history: dict[int, "Message"] = field(default_factory=dict)
    typing: list[float] = field(default_factory=list)
    """When the bot's typing was shown, by the monotonic clock."""
    owner: User | None = None
    archived: bool = False
    locked: bool = False
    auto_archive_duration: int = 1440
    joined: set[int] = field(default_factory=set)
    """Members of a thread."""
    private: bool = False
    """Whether only its members, and who manages threads, see a thread."""
    _taken: int = 0

    def __repr__(self) -> str:
        return f"<#{self.name}>"

    @property
    def messages(self) -> list["Message"]:
        """What is there now for everybody to see, oldest first."""
        return list(self.history.values())

    @property
    def from_bot(self) -> list["Message"]:
        """The messages of the bot, without those that Discord writes about threads."""
        by_bot = [m for m in self.messages if m.author is self.world.bot]
        return [m for m in by_bot if m.type not in (THREAD_CREATED, THREAD_STARTER)]

    @property
    def threads(self) -> list["Channel"]:
        channels = self.guild.channels if self.guild else []
        return [c for c in channels if c.type == THREAD and c.parent is self]

    def fill(self, *said: tuple[User, str]) -> list["Message"]:
        """Put messages there that nobody is told of, as if they had been there before."""
        messages = [Message(self, author, content=text) for author, text in said]
        self.history |= {message.id: message for message in messages}
        return messages

    async def next_message(self) -> "Message":
        """The oldest message of the bot that was not taken in this way yet."""
        message = await self.world.until(
            lambda: next((m for m in self.from_bot if m.id > self._taken), None)
        )
        self._taken = message.id
        return message

    def deny(self, *permissions: str, to: User | Role | None = None) -> None:
        """Take permissions away here, from the bot unless said otherwise."""
        self._overwrite(to or self.world.bot, 0, bits(*permissions))

    def allow(self, *permissions: str, to: User | Role | None = None) -> None:
        """Give permissions here, to the bot unless said otherwise."""
        self._overwrite(to or self.world.bot, bits(*permissions), 0)

    def _overwrite(self, target: User | Role, allow: int, deny: int) -> None:
        allowed, denied = self.overwrites.get(target.id, (0, 0))
        self.overwrites[target.id] = (allowed & ~deny | allow, denied & ~allow | deny)
        self.world.channel_changed(self, "CHANNEL_UPDATE")

    def permissions_of(self, user: User) -> int:
        """https://docs.discord.com/developers/topics/permissions#permission-overwrites"""
        if self.guild is None:
            return ALL if user in self.recipients else 0
        if user.id not in self.guild.members:
            return 0
        roles = [self.guild.roles[0], *self.guild.members[user.id]]
        value = 0
        for role in roles:
            value |= role.permissions
        if value & bits("administrator"):
            return ALL
        if self.private and user.id not in self.joined and not value & bits("manage_threads"):
            return 0
        where = self.parent if self.type == THREAD and self.parent else self
        for targets in ([roles[0].id], [r.id for r in roles[1:]], [user.id]):
            found = [where.overwrites.get(target, (0, 0)) for target in targets]
            for _, denied in found:
                value &= ~denied
            for allowed, _ in found:
                value |= allowed
        return value

    def permits(self, user: User, permission: str) -> bool:
        return bool(self.permissions_of(user) & bits(permission))


@dataclass(eq=False)
class Attachment:
    filename: str
    data: bytes
    content_type: str | None = None
    id: int = field(default_factory=snowflake)

    @property
    def text(self) -> str:
        return self.data.decode()


@dataclass(frozen=True)
class Edit:
    """What a message became, and when by the monotonic clock."""

    at: float
    content: str


@dataclass(eq=False, repr=False)
class Message:
    channel: Channel
    author: User
    type: int = 0
    id: int = field(default_factory=snowflake)
    content: str = ""
    flags: int = 0
    embeds: list[dict[str, Any]] = field(default_factory=list)
    components: list[dict[str, Any]] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    reference: "Message | None" = None
    extra: dict[str, Any] = field(default_factory=dict)
    """What else Discord has of the message: a poll, stickers, forwarded messages."""
    nonce: str | None = None
    interaction: "Interaction | None" = None
    thread: Channel | None = None
    mentions: list[User] = field(default_factory=list)
    mention_roles: list[Role] = field(default_factory=list)
    mention_everyone: bool = False
    allowed_mentions: dict[str, Any] | None = None
    """As the last request had it; None when it was left out."""
    pings: set[str] = field(default_factory=set)
    """Everybody whom any version of the message pinged: names, @everyone, @role."""
    edited: float | None = None
    """Seconds since 1970."""
    edits: list[Edit] = field(default_factory=list)
    """Every version, the first one too."""
    reactions: dict[str, list[User]] = field(default_factory=dict)
    deleted: bool = False

    def __repr__(self) -> str:
        return f"<{self.author.name} in {self.channel}: {self.text!r}>"

    @property
    def ephemeral(self) -> bool:
        return bool(self.flags & EPHEMERAL)

    @property
    def loading(self) -> bool:
        """Discord shows "is thinking…"."""
        return bool(self.flags & LOADING)

    @property
    def text(self) -> str:
        """The content, or the text displays of Components V2."""
        shown = [c["content"] for c in walk(self.components) if c["type"] == TEXT_DISPLAY]
        return "\n".join([self.content, *shown] if self.content else shown)

    @property
    def buttons(self) -> list[str]:
        """Labels (emoji for those without) of the buttons that can be pressed."""
        found = [c for c in walk(self.components) if c["type"] == BUTTON]
        return [button_name(c) for c in found if not c.get("disabled")]

    @property
    def replies(self) -> list["Message"]:
        """The messages that reply to this one."""
        return [m for m in self.channel.messages if m.reference is self]


def walk(components: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """All components, those inside others too."""
    for component in components:
        yield component
        inner = [component[key] for key in ("accessory", "component") if key in component]
        yield from walk([*component.get("components", []), *inner])


def button_name(button: dict[str, Any]) -> str:
    emoji = button.get("emoji") or {}
    return str(button.get("label") or emoji.get("name") or button.get("custom_id"))


def plain(emoji: str) -> str:
    """An emoji without its variation selector, which clients send or leave out."""
    return re.sub("\ufe0f", "", emoji)
