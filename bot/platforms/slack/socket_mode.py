"""Slack's events over a connection that the bot opens."""

import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

log = structlog.get_logger()


class SocketModeHandler(AsyncSocketModeHandler):
    """Slack closes connections from time to time; the SDK opens the next one by itself."""

    async def handle(self, client: AsyncBaseSocketModeClient, req: SocketModeRequest) -> None:
        try:
            await super().handle(client, req)  # type: ignore[arg-type]
        except ConnectionError as error:
            # Slack sends the event again over the next connection, where it is known already.
            reason = type(error).__name__
            log.warning("slack closed a connection before it was answered", reason=reason)
