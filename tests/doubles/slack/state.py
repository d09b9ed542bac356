"""What Slack keeps: organisations, workspaces, people, channels, messages, files."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.doubles.slack.blocks import buttons_of, text_of
from tests.doubles.slack.texts import decoded, pings_of

if TYPE_CHECKING:
    from tests.doubles.slack.people import Person
    from tests.doubles.slack.world import World

Payload = dict[str, Any]

PUBLIC, PRIVATE, DIRECT, GROUP = "channel", "group", "im", "mpim"
"""Kinds of channels, as `channel_type` tells them."""

_last_id = 0
_last_ts = 0


def new_id(prefix: str) -> str:
    global _last_id
    _last_id += 1
    return f"{prefix}0{_last_id:09X}"


def new_ts() -> str:
    """A new timestamp, later than all before."""
    global _last_ts
    _last_ts = max(_last_ts + 1, int(time.time() * 1e6))
    return f"{_last_ts // 1_000_000}.{_last_ts % 1_000_000:06}"


@dataclass(eq=False)
class Grid:
    """An Enterprise Grid organisation."""

    world: "World"
    name: str
    id: str = field(default_factory=lambda: new_id("E"))
    bot_user_id: str = field(default_factory=lambda: new_id("U"))
    """The bot is one user in the whole organisation."""
    workspaces: list["Workspace"] = field(default_factory=list)

    def workspace(self, name: str, *, installed: bool = False) -> "Workspace":
        return self.world.workspace(name, grid=self, installed=installed)


@dataclass(eq=False, kw_only=True)
class User:
    name: str
    workspace: "Workspace"
    admin: bool = False
    is_bot: bool = False
    id: str = field(default_factory=lambda: new_id("U"))

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"


@dataclass(eq=False)
class UserGroup:
    name: str
    users: list[User]
    id: str = field(default_factory=lambda: new_id("S"))


@dataclass(eq=False, repr=False)
class Workspace:
    world: "World"
    name: str
    grid: Grid | None = None
    id: str = field(default_factory=lambda: new_id("T"))
    bot_id: str = field(default_factory=lambda: new_id("B"))
    users: dict[str, User] = field(default_factory=dict)
    groups: list[UserGroup] = field(default_factory=list)
    channels: dict[str, "Channel"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        user_id = self.grid.bot_user_id if self.grid else new_id("U")
        self.bot = User(name="bot", workspace=self, is_bot=True, id=user_id)
        self.users[self.bot.id] = self.bot

    def __repr__(self) -> str:
        return f"<workspace {self.name}>"

    @property
    def domain(self) -> str:
        return self.name.lower().replace(" ", "-")

    def member(self, name: str, *, admin: bool = False) -> "Person":
        return self.world.person(self, name, admin=admin)

    def group(self, name: str, *users: User) -> UserGroup:
        self.groups.append(UserGroup(name, list(users)))
        return self.groups[-1]

    def channel(self, name: str, *, private: bool = False, has_bot: bool = True) -> "Channel":
        kind = PRIVATE if private else PUBLIC
        channel = Channel(self, kind, name, has_bot=has_bot)
        self.channels[channel.id] = channel
        return channel

    def group_direct(self, *users: User) -> "Channel":
        """A private conversation of several people with the bot."""
        name = "mpdm-" + "--".join(user.name.lower() for user in users) + "-1"
        channel = Channel(self, GROUP, name)
        self.channels[channel.id] = channel
        return channel

    def direct(self, user: User) -> "Channel":
        """The private conversation of `user` with the bot."""
        for channel in self.channels.values():
            if channel.user is user:
                return channel
        channel = Channel(self, DIRECT, user=user, id=new_id("D"))
        self.channels[channel.id] = channel
        return channel


@dataclass(eq=False, repr=False)
class Channel:
    """A channel, or a private conversation with the bot."""

    workspace: Workspace
    kind: str
    name: str = ""
    user: User | None = None
    has_bot: bool = True
    members: list[User] | None = None
    """Who is in it; None: everybody in the workspace."""
    id: str = field(default_factory=lambda: new_id("C"))
    archived: bool = False
    history: dict[str, "Message"] = field(default_factory=dict)
    """By ts, replies in threads too."""
    statuses: list[tuple[str, str, float]] = field(default_factory=list)
    """(thread, status, when by the monotonic clock) of assistant.threads.setStatus."""
    sessions: dict[str, str] = field(default_factory=dict)
    """The status of agent sessions by thread: processing, active, suspended, closed."""
    titles: dict[str, str] = field(default_factory=dict)
    """Of threads in the agent pane."""
    prompts: list[dict[str, str]] = field(default_factory=list)
    """Suggested in the agent pane: title and message."""
    _taken: int = 0

    def __repr__(self) -> str:
        return f"<#{self.name or self.id}>"

    @property
    def messages(self) -> list["Message"]:
        """What is there now for everybody to see, oldest first."""
        return list(self.history.values())

    @property
    def from_bot(self) -> list["Message"]:
        return [m for m in self.messages if m.author.is_bot]

    def fill(self, *said: tuple[User, str], thread: "Message | None" = None) -> list["Message"]:
        """Put messages there that nobody is told of, as if they had been there before."""
        messages = [Message(self, author, raw=text, thread=thread) for author, text in said]
        self.history |= {message.ts: message for message in messages}
        return messages

    def has(self, user: User) -> bool:
        """Whether the user is in it."""
        return self.members is None or user in self.members

    async def next_message(self) -> "Message":
        """The bot's next message here that was not yet asked for."""
        world = self.workspace.world
        posted = await world.until(lambda: world.posted_in(self)[self._taken :])
        self._taken += 1
        return posted[0]

    def status(self, thread: "Message") -> str:
        """The status under `thread`, such as "is thinking…"; empty when there is none."""
        for ts, status, at in reversed(self.statuses):
            if ts == thread.root.ts:
                lapsed = time.monotonic() > at + self.workspace.world.status_life
                return "" if lapsed else status
        return ""

    def session(self, thread: "Message") -> str:
        return self.sessions.get(thread.root.ts, "")


@dataclass(eq=False)
class File:
    name: str
    data: bytes
    workspace: Workspace
    id: str = field(default_factory=lambda: new_id("F"))
    url: str = ""
    """`url_private` where it isn't Slack's own address."""
    redirect: str = ""
    """Where Slack sends whoever fetches it."""
    told: Payload | None = None
    """What messages tell of it besides its id, where that isn't all."""


@dataclass(frozen=True)
class Edit:
    """What a message became, and when by the monotonic clock."""

    at: float
    text: str


@dataclass(eq=False, repr=False)
class Message:
    channel: Channel
    author: User
    ts: str = field(default_factory=new_ts)
    raw: str = ""
    """The text argument as Slack keeps it: mrkdwn, with entities."""
    markdown: str = ""
    """What was posted as markdown_text or streamed."""
    blocks: list[Payload] = field(default_factory=list)
    tasks: dict[str, Payload] = field(default_factory=dict)
    """The task updates of a stream by their id, each as it was last."""
    files: list[File] = field(default_factory=list)
    extra: Payload = field(default_factory=dict)
    """What else Slack has of the message; None takes a field away."""
    metadata: Payload | None = None
    thread: "Message | None" = None
    """The message whose thread this one is in."""
    visible_to: User | None = None
    """Who alone sees an ephemeral message."""
    reactions: dict[str, list[User]] = field(default_factory=dict)
    edited: str = ""
    """The timestamp of the last edit."""
    edits: list[Edit] = field(default_factory=list)
    """Every version, the first one too."""
    pings: set[str] = field(default_factory=set)
    """Everybody whom any version of the message pinged: names, @channel, @here, @group."""
    started: float = 0.0
    """When the stream began, by the monotonic clock; 0 for what is none."""
    ended: bool = False
    """Whether the stream was stopped."""
    deleted: bool = False

    def __repr__(self) -> str:
        return f"<{self.author.name} in {self.channel}: {self.text!r}>"

    @property
    def root(self) -> "Message":
        return self.thread or self

    @property
    def streaming(self) -> bool:
        """Whether more can be appended; Slack ends every stream after some minutes."""
        life = self.channel.workspace.world.stream_life
        return bool(self.started) and not self.ended and time.monotonic() < self.started + life

    @property
    def replies(self) -> list["Message"]:
        return [m for m in self.channel.messages if m.thread is self]

    @property
    def text(self) -> str:
        """What people read: the blocks and the markdown if there are any, else the text."""
        shown = [part for part in (self.markdown, text_of(self.blocks)) if part]
        return decoded("\n".join(shown) or self.raw, self.channel.workspace)

    @property
    def buttons(self) -> list[str]:
        return list(buttons_of(self.blocks))

    def written(self) -> None:
        """A new version stands: keep it and see whom it pings."""
        self.edits.append(Edit(time.monotonic(), self.text))
        workspace = self.channel.workspace
        for text in (self.raw, self.markdown, text_of(self.blocks, only_parsed=True)):
            self.pings |= pings_of(text, workspace)
