"""The page that tells who changed what, and when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.conversation.texts import Texts
from bot.status.people import who
from bot.status.servers import Servers
from bot.status.site import Site
from bot.storage import Change

MOST = 200


@dataclass(frozen=True)
class ChangeEntry:
    """A change in words."""

    at: datetime
    who: str
    where: str
    what: str
    before: str
    after: str


def routes(site: Site) -> list[Route]:
    async def page(request: Request) -> Response:
        newest, servers = await site.core.store.changes.newest(MOST), await site.servers()
        rows = [_row(change, servers, site) for change in newest]
        return site.page(request, "changes.html", changes=rows)

    return [Route("/changes", page)]


def _row(change: Change, servers: Servers, site: Site) -> ChangeEntry:
    texts, scope = site.texts, change.scope
    if scope is None:
        platform, where = "", texts("page_file")
    elif scope.kind == "server":
        platform = scope.platform
        where = servers.name(scope.platform, scope.id)
    else:
        platform = scope.platform
        where = texts(f"page_a_{scope.kind}", platform=scope.platform.capitalize())
        where += f" {scope.id}" if site.shows_ids else ""
    return ChangeEntry(
        change.at,
        who(change.by, platform, texts, site.shows_ids),
        where,
        texts(f"page_changed_{change.kind}", name=change.name),
        _value(change.before, change.kind, texts),
        _value(change.after, change.kind, texts),
    )


def _value(value: Any, kind: str, texts: Texts) -> str:
    if value is None:
        return texts("page_none")
    return texts("page_version_number", number=value) if kind == "persona" else str(value)
