"""Who may ask where, and the windows of quotas."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.config import AccessConfig
from bot.conversation.events import Author, Place


@dataclass(frozen=True)
class Window:
    """A quota's stretch of time."""

    start: datetime
    end: datetime

    @classmethod
    def around(cls, now: datetime, hours: int) -> "Window":
        """The window of `hours` that `now` is in; the day's last may be shorter."""
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        start = midnight + timedelta(hours=now.astimezone(UTC).hour // hours * hours)
        return cls(start, min(start + timedelta(hours=hours), midnight + timedelta(days=1)))


def may_ask(access: AccessConfig, place: Place, author: Author) -> bool:
    """Each kind of allow list that has entries has to be met: server, channel, person."""
    if place.direct and not access.direct_messages:
        return False
    allow, block = access.allow, access.block
    here = {place.server, place.channel, place.thread, place.category}
    if author.id in block.users or author.roles & block.roles:
        return False
    if here & (block.servers | block.channels | block.categories):
        return False
    if (allow.users or allow.roles) and not (
        author.id in allow.users or author.roles & allow.roles
    ):
        return False
    if place.direct:
        return True
    if allow.servers and place.server not in allow.servers:
        return False
    channels = allow.channels | allow.categories
    return not channels or bool(here & channels)
