"""The routes of the status page."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from bot.conversation.core import Core
from bot.status import changes, server_pages
from bot.status.forms import GuardedForm, SignIn
from bot.status.guard import SIGNED_IN, Guard, Hosts, is_token
from bot.status.live import Live
from bot.status.now import now, sent, versions
from bot.status.plots import last_days, last_hour, plots
from bot.status.recorder import this_hour
from bot.status.rendering import render
from bot.status.site import Site
from bot.status.use import use_tables
from bot.storage import StorageError

FILES = Path(__file__).parent / "static"
SESSION_SECONDS = 7 * 24 * 3600
USE_DAYS = 7


def application(core: Core, live: Live, port: int) -> Starlette:
    """The page, with what it is guarded by."""
    site = Site(core, live)
    status = core.config().status
    return Starlette(
        routes=[
            *_overview(site),
            *_signing_in(site),
            *server_pages.routes(site),
            *changes.routes(site),
            Mount("/static", StaticFiles(directory=FILES)),
        ],
        middleware=[
            Middleware(
                SessionMiddleware,
                secret_key=site.secret.hex(),
                # Cookies don't tell ports apart: another bot on this machine has its own.
                session_cookie=f"gptoss-bot-{port}",
                same_site="strict",
                max_age=SESSION_SECONDS,
            ),
            Middleware(
                Guard,
                token=site.token,
                hosts=Hosts(status.listen, status.hosts),
                ask=_asking(site),
            ),
        ],
        exception_handlers={
            HTTPException: _refusing(site),
            StorageError: _failing(site),
        },
    )


def _overview(site: Site) -> list[Route]:
    live, store = site.live, site.core.store

    async def overview(request: Request) -> Response:
        texts = site.texts
        used = await store.hours.used(this_hour() - timedelta(days=USE_DAYS))
        return site.page(
            request,
            "overview.html",
            now=now(live, texts),
            plots=plots(texts),
            use=use_tables(used, await site.servers(), texts),
            problems=live.problems.last,
            versions=versions(live, texts),
            sent=sent(live, texts),
        )

    async def events(request: Request) -> Response:
        if live.is_full:
            raise HTTPException(503, site.texts("page_too_many"))
        headers = {"X-Accel-Buffering": "no"}  # for a proxy such as nginx
        return StreamingResponse(_events(site), headers=headers, media_type="text/event-stream")

    async def hour(request: Request) -> Response:
        return JSONResponse(last_hour(live.recorder))

    async def days(request: Request) -> Response:
        return JSONResponse(await last_days(store.hours))

    return [
        Route("/", overview),
        Route("/events", events),
        Route("/plots/hour", hour),
        Route("/plots/days", days),
    ]


async def _events(site: Site) -> AsyncIterator[str]:
    """What changes on the page, as server-sent events; each has a part of the page in HTML."""
    live, shown = site.live, ""
    with live.watched():
        while not live.closed:
            await live.next_snapshot()
            html = render("now.html", site.texts, now=now(live, site.texts))
            if html != shown:
                shown = html
                lines = "".join(f"data: {line}\n" for line in html.splitlines())
                yield f"event: now\n{lines}\n"


def _signing_in(site: Site) -> list[Route]:
    async def ask(request: Request) -> Response:
        return _sign_in_page(site, request, 200, wrong=False)

    async def sign_in(request: Request) -> Response:
        form = await SignIn.sent(request, site.secret)
        right = not site.token or is_token(form.token.data or "", site.token)
        if not form.validate() or not right:
            return _sign_in_page(site, request, 401, wrong=True)
        request.session[SIGNED_IN] = True
        return RedirectResponse("/", 303)

    async def sign_out(request: Request) -> Response:
        if not (await GuardedForm.sent(request, site.secret)).validate():
            raise HTTPException(403, site.texts("page_form_expired"))
        request.session.clear()
        return RedirectResponse("/login", 303)

    return [
        Route("/login", ask),
        Route("/login", sign_in, methods=["POST"]),
        Route("/logout", sign_out, methods=["POST"]),
    ]


def _sign_in_page(site: Site, request: Request, status: int, *, wrong: bool) -> Response:
    form = SignIn.empty(request, site.secret)
    return site.page(request, "sign_in.html", status, form=form, wrong=wrong)


def _asking(site: Site) -> Callable[[Any, Any, Any], Awaitable[None]]:
    async def asking(scope: Any, receive: Any, send: Any) -> None:
        response = _sign_in_page(site, Request(scope, receive), 401, wrong=False)
        response.headers["WWW-Authenticate"] = "Bearer"
        await response(scope, receive, send)

    return asking


def _refusing(site: Site) -> Callable[[Request, Exception], Response]:
    def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return site.page(request, "refused.html", error.status_code, reason=error.detail)

    return refused


def _failing(site: Site) -> Callable[[Request, Exception], Response]:
    def failed(request: Request, error: Exception) -> Response:
        assert isinstance(error, StorageError)
        reason = site.core.storage_failed(error)
        return site.page(request, "refused.html", 503, reason=reason)

    return failed
