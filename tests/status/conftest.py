"""A status page on a real socket, of a core whose inference service is scripted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from bot.config import Config
from bot.status import status_page
from bot.status.live import Live
from tests.conversation.conftest import Chat, chatting
from tests.doubles.inference import ScriptedInference
from tests.http_client import http_client


@dataclass
class Page:
    """`http` is a browser without JavaScript: it keeps cookies."""

    chat: Chat
    http: httpx2.AsyncClient
    url: str
    live: Live

    async def text(self, path: str = "/") -> str:
        response = await self.http.get(path)
        assert response.status_code == 200, response.text
        return response.text


@asynccontextmanager
async def shown(
    folder: Path, inference: ScriptedInference | None = None, **status: object
) -> AsyncIterator[Page]:
    """The page with the section `status` of the configuration."""
    config = Config.model_validate({"status": {"listen": "127.0.0.1:0"} | status})
    async with chatting(inference or ScriptedInference(), folder) as chat:
        chat.configure(config)
        async with status_page(chat.core) as (url, live), http_client(url) as http:
            yield Page(chat, http, url, live)


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with shown(tmp_path) as page:
        yield page
