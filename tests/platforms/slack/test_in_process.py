"""What can only be seen of an adapter that runs in the test's own process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.client import InferenceClient
from bot.config import load_config
from bot.conversation.core import Core
from bot.conversation.responder import Responder
from bot.platforms.slack import SlackPlatform
from bot.storage import Store
from bot.tools import Toolbox
from tests.doubles.inference import ScriptedInference
from tests.doubles.slack import SlackDouble
from tests.end_to_end.processes import write_config
from tests.platforms.slack.conftest import ended
from tests.platforms.transactions import MOST_OF_A_MENTION, counted_transactions


@asynccontextmanager
async def connected(
    slack: SlackDouble, inference: ScriptedInference, folder: Path
) -> AsyncIterator[None]:
    """A bot in `slack` that answers with `inference`."""
    sections = {
        "slack": {
            "bot_token": slack.bot_token,
            "app_token": slack.app_token,
            "api_url": slack.api_url,
        },
        "inference": {"url": inference.url, "model": "scripted"},
    }
    config = load_config(write_config(folder, **sections))
    client = InferenceClient(inference.url, "", "scripted")
    async with Store.open(config.storage.url) as store:
        platform = SlackPlatform(
            Core(lambda: config, store, client, Responder(client, Toolbox(config, store)))
        )
        running = asyncio.create_task(platform.run())
        await slack.connected()
        yield
        platform.stop()
        await running
    await client.close()


async def test_a_mention_takes_four_transactions_at_most(tmp_path: Path) -> None:
    slack = SlackDouble()
    async with slack.running(), ScriptedInference().running() as inference:
        team = slack.workspace("Home")
        general, ann = team.channel("general"), team.member("Ann")
        async with connected(slack, inference, tmp_path):
            with counted_transactions() as begun:
                question = ann.say(general, "@bot hi")
                await slack.until(lambda: any(map(ended, question.root.replies)))
    assert 0 < len(begun) <= MOST_OF_A_MENTION
