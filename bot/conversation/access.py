"""Who may ask where, and how much."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.config import AccessConfig, QuotaConfig
from bot.conversation.events import Author, Place
from bot.conversation.in_effect import InEffect
from bot.storage import Store, UsageSum


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


async def refusal(here: InEffect, store: Store, author: Author, now: datetime) -> str | None:
    """One line that says why the author may not ask here now; None: they may.

    Raises StorageError.
    """
    config, place, texts = here.config, here.place, here.texts
    if not _may_ask(config.access, place, author):
        return texts("dms_off" if place.direct else "not_here")
    quotas = config.quotas
    window = Window.around(now, quotas.window_hours)
    wait = texts.duration((window.end - now).total_seconds())
    if quotas.user != QuotaConfig():
        used = await store.usage.of(place.platform, user_id=author.id, since=window.start)
        if _used_up(quotas.user, used):
            return texts("quota_user", wait=wait)
    if quotas.server != QuotaConfig() and not place.direct:
        used = await store.usage.of(place.platform, server=place.server, since=window.start)
        if _used_up(quotas.server, used):
            return texts("quota_server", wait=wait)
    return None


def _may_ask(access: AccessConfig, place: Place, author: Author) -> bool:
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


def _used_up(quota: QuotaConfig, used: UsageSum) -> bool:
    tokens = used.prompt_tokens + used.completion_tokens
    return (quota.requests is not None and used.requests >= quota.requests) or (
        quota.tokens is not None and tokens >= quota.tokens
    )
