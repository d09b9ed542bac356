"""The routes of the status page."""

import secrets
from collections.abc import AsyncIterator
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
from bot.status.forms import SignIn
from bot.status.guard import SIGNED_IN, Guard, Hosts, is_token
from bot.status.live import Live
from bot.status.now import now, versions
from bot.status.plots import last_hour
from bot.status.rendering import render, texts_of

FILES = Path(__file__).parent / "static"
SESSION_SECONDS = 7 * 24 * 3600


def application(core: Core, live: Live, port: int) -> Starlette:
    """The page, with what it is guarded by."""
    config = core.config()
    token = config.status.token.get_secret_value()
    # Of this run only: after a restart people sign in again.
    secret = secrets.token_bytes(32)

    def page(request: Request, name: str, status: int = 200, **values: Any) -> Response:
        return Response(
            render(
                name, texts_of(core.config()), path=request.url.path, guarded=bool(token), **values
            ),
            status,
            media_type="text/html",
        )

    async def overview(request: Request) -> Response:
        texts = texts_of(core.config())
        return page(request, "overview.html", now=now(live, texts), versions=versions(live, texts))

    async def events(request: Request) -> Response:
        if live.is_full:
            raise HTTPException(503, "Too many watch already.")
        return StreamingResponse(_events(live), media_type="text/event-stream")

    async def hour(request: Request) -> Response:
        return JSONResponse(last_hour(live.recorder))

    async def ask(request: Request) -> Response:
        form = SignIn.empty(request, secret)
        return page(
            request,
            "sign_in.html",
            200 if request.url.path == "/login" else 401,
            form=form,
            wrong=False,
        )

    async def sign_in(request: Request) -> Response:
        form = await SignIn.sent(request, secret)
        wrong = token and not is_token(form["token"].data or "", token)
        if not form.validate() or wrong:
            again = SignIn.empty(request, secret)
            return page(request, "sign_in.html", 401, form=again, wrong=True)
        request.session[SIGNED_IN] = True
        return RedirectResponse("/", 303)

    async def sign_out(request: Request) -> Response:
        request.session.clear()
        return RedirectResponse("/login", 303)

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return page(request, "refused.html", error.status_code, reason=error.detail)

    async def asking(scope: Any, receive: Any, send: Any) -> None:
        response = await ask(Request(scope, receive))
        response.headers["WWW-Authenticate"] = "Bearer"
        await response(scope, receive, send)

    return Starlette(
        routes=[
            Route("/", overview),
            Route("/events", events),
            Route("/plots/hour", hour),
            Route("/login", ask),
            Route("/login", sign_in, methods=["POST"]),
            Route("/logout", sign_out, methods=["POST"]),
            Mount("/static", StaticFiles(directory=FILES)),
        ],
        middleware=[
            Middleware(
                SessionMiddleware,
                secret_key=secret.hex(),
                # Cookies don't tell ports apart: another bot on this machine has its own.
                session_cookie=f"gptoss-bot-{port}",
                same_site="strict",
                max_age=SESSION_SECONDS,
            ),
            Middleware(
                Guard,
                token=token,
                hosts=Hosts(config.status.listen, config.status.hosts),
                ask=asking,
            ),
        ],
        exception_handlers={HTTPException: refused},
    )


async def _events(live: Live) -> AsyncIterator[str]:
    """What changes on the page, as server-sent events; each has a part of the page in HTML."""
    shown = ""
    with live.watched():
        while not live.closed:
            await live.next_look()
            texts = texts_of(live.core.config())
            html = render("now.html", texts, now=now(live, texts))
            if html != shown:
                shown = html
                lines = "".join(f"data: {line}\n" for line in html.splitlines())
                yield f"event: now\n{lines}\n"
