"""What stands in a channel above a conversation: Slack is asked once for each conversation."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from aiohttp import ClientError
from slack_sdk.errors import SlackClientError

from bot.platforms.slack.channel_history import channel_page
from bot.platforms.slack.errors import describe
from bot.platforms.slack.limits import ABOVE_PAUSE_SECONDS, ABOVE_SECONDS
from bot.platforms.slack.messages import History, Payload
from bot.platforms.slack.workspace import Workspace

log = structlog.get_logger()

CONVERSATIONS = 500
"""Those remembered: each of their turns begins with the same and asks for nothing."""


@dataclass(frozen=True)
class _Page:
    """Newest first; `asked_for` is how many there could have been."""

    messages: Sequence[Payload]
    asked_for: int


class AboveCache:
    """What was said in channels right before conversations began there."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], _Page] = OrderedDict()
        self._asks_again_at: dict[str, float] = {}
        """By workspace: Slack allows some apps one such call a minute."""

    def forget(self, channel: str, ts: str) -> None:
        """A message was changed or deleted: where it is known, Slack is asked again."""
        for key, page in list(self._known.items()):
            if key[0] == channel and any(message["ts"] == ts for message in page.messages):
                del self._known[key]

    async def before(
        self, workspace: Workspace, channel: str, root: str, asked_for: int
    ) -> History:
        """What was said in the channel before its message `root`, newest first.

        One call at most, for as many messages.
        """
        known = self._known.get((channel, root))
        if known is not None and known.asked_for >= asked_for:
            self._known.move_to_end((channel, root))
            return History(known.messages)
        if time.monotonic() < self._asks_again_at.get(workspace.team, 0.0):
            return History([], "history_late")
        try:
            async with asyncio.timeout(ABOVE_SECONDS):
                messages, _ = await channel_page(workspace, channel, latest=root, limit=asked_for)
        except TimeoutError:  # Slack said to wait longer, or did not answer
            log.warning("slack: a channel was not read in time", seconds=ABOVE_SECONDS)
            self._asks_again_at[workspace.team] = time.monotonic() + ABOVE_PAUSE_SECONDS
            return History([], "history_late")
        except (SlackClientError, OSError, ClientError) as error:
            log.warning("slack: a channel can't be read", reason=describe(error))
            return History([], "lacks_history")
        self._known[channel, root] = _Page(messages, asked_for)
        while len(self._known) > CONVERSATIONS:
            self._known.popitem(last=False)
        return History(messages)
