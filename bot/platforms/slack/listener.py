"""The address that Slack calls, for HTTP in place of Socket Mode.

Bolt's adapter for Starlette on uvicorn, within limits: whoever finds the address can call it.
https://docs.slack.dev/apis/events-api/using-http-request-urls
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.listener import address_of, listening_socket
from bot.platforms.slack.installations import EVENTS_PATH, INSTALL_PATH, REDIRECT_PATH
from bot.request_body import bounded
from bot.serving import serving

MAX_BODY_BYTES = 2**22
"""A form with all that its inputs take, escaped, has a tenth of that."""
MAX_BODY_VALUES = 2**17
BODY_SECONDS = 10.0
"""Slack itself waits for 3 s."""


@asynccontextmanager
async def listening(app: AsyncApp, host: str, port: int) -> AsyncIterator[str]:
    """Give `app` what Slack sends to the address, which this gives too. Raises OSError."""
    with listening_socket(host, port) as listener:
        async with serving(_application(app), listener):
            yield address_of(listener)


def _application(app: AsyncApp) -> Starlette:
    handler = AsyncSlackRequestHandler(app)

    async def handle(request: Request) -> Response:
        limited = bounded(request.receive, MAX_BODY_BYTES, MAX_BODY_VALUES, BODY_SECONDS)
        request = Request(request.scope, limited)
        try:
            (await request.body()).decode()
        except UnicodeDecodeError:
            return PlainTextResponse("The body is not UTF-8.", 400)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        return await handler.handle(request)

    routes = [Route(EVENTS_PATH, handle, methods=["POST"])]
    if app.oauth_flow is not None:
        paths = (INSTALL_PATH, REDIRECT_PATH)
        routes += [Route(path, handle, methods=["GET"]) for path in paths]
    return Starlette(routes=routes)
