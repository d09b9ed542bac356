"""What every page of the site is made with."""

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.conversation.core import Core
from bot.conversation.texts import Texts
from bot.status.forms import GuardedForm
from bot.status.live import Live
from bot.status.rendering import render, texts_of
from bot.status.servers import Servers

TOLD = "told"
"""In the session: what the next page tells once."""


class Site:
    """`secret` is of this run only: after a restart people sign in again."""

    def __init__(self, core: Core, live: Live) -> None:
        self.core = core
        self.live = live
        self.token = core.config().status.token.get_secret_value()
        self.secret = secrets.token_bytes(32)

    @property
    def texts(self) -> Texts:
        return texts_of(self.core.config())

    @property
    def shows_ids(self) -> bool:
        return self.core.config().status.show_ids

    def page(
        self, request: Request, template: str, /, status: int = 200, **values: Any
    ) -> Response:
        """The page that the template makes of `values`."""
        told = {"told": request.session.pop(TOLD, ""), "done": True}
        leaving = GuardedForm.empty(request, self.secret) if self.token else None
        about = {"path": request.url.path, "leaving": leaving}
        html = render(template, self.texts, **(about | told | values))
        return Response(html, status, media_type="text/html")

    def tell(self, request: Request, text: str, address: str) -> Response:
        """Go to the page at `address`, which tells what happened."""
        request.session[TOLD] = text
        return RedirectResponse(address, 303)

    async def servers(self) -> Servers:
        """Those that the bot knows. Raises StorageError."""
        known = await self.core.store.servers()
        return Servers(known, self.core.config(), self.secret)
