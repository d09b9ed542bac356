"""One call of the Web API, and what its handlers ask of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.doubles.slack.blocks import check_blocks
from tests.doubles.slack.errors import SlackError
from tests.doubles.slack.limits import MARKDOWN
from tests.doubles.slack.state import Channel, Message, Payload

if TYPE_CHECKING:
    from tests.doubles.slack.installations import Installation


@dataclass
class Call:
    method: str
    arguments: dict[str, Any]
    at: float
    """When it came, by the monotonic clock."""
    installation: "Installation | None" = None
    """Whose token it was made with."""
    status: int = 0
    """How it was answered; 0 while it is not."""
    error: str = ""
    scripted: bool = False
    """Whether a fault was injected."""
    credentials: tuple[str, str] = field(default=("", ""), repr=False)
    """Client id and secret, for oauth.v2.access."""

    @property
    def by(self) -> "Installation":
        assert self.installation is not None
        return self.installation

    def get(self, name: str, default: str = "") -> str:
        return str(self.arguments.get(name, default))

    def flag(self, name: str) -> bool:
        return self.get(name).lower() in ("1", "true")

    def need(self, name: str) -> Any:
        if not self.arguments.get(name):
            raise SlackError(
                "invalid_arguments",
                response_metadata={"messages": [f"[ERROR] missing required field: {name}"]},
            )
        return self.arguments[name]

    def channel(self, name: str = "channel") -> Channel:
        return self.by.channel(self.get(name))

    def joined_channel(self, name: str = "channel") -> Channel:
        channel = self.channel(name)
        if not channel.has_bot:
            raise SlackError("not_in_channel")
        return channel

    def writable_channel(self, name: str = "channel") -> Channel:
        channel = self.joined_channel(name)
        if channel.archived:
            raise SlackError("is_archived")
        return channel

    def root(self, channel: Channel, error: str = "thread_not_found") -> Message | None:
        """The message whose thread `thread_ts` names."""
        if not self.get("thread_ts"):
            return None
        found = channel.history.get(self.get("thread_ts"))
        if found is None:
            raise SlackError(error)
        return found.root

    def own_message(self, channel: Channel, error: str) -> Message:
        """The bot's message that `ts` names; `error` when it is another's."""
        message = channel.history.get(self.get("ts"))
        if message is None or message.deleted:
            raise SlackError("message_not_found")
        if message.author is not channel.workspace.bot:
            raise SlackError(error)
        return message

    def check_content(self) -> None:
        """Refuse a message that says nothing, too much, or in two ways."""
        text, markdown = self.arguments.get("text"), self.arguments.get("markdown_text")
        blocks = self.arguments.get("blocks") or []
        if markdown and (text or blocks):
            raise SlackError("markdown_text_conflict")
        if markdown and len(markdown) > MARKDOWN:
            raise SlackError("msg_too_long")
        if not (text or markdown or blocks or self.arguments.get("attachments")):
            raise SlackError("no_text")
        check_blocks(blocks)


Handler = Callable[[Call], Payload]
