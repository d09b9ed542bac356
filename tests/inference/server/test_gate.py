"""Who may listen where, and who is let in."""

from hmac import compare_digest
from typing import Any

import httpx2
import pytest

pytest.importorskip("transformers")

from bot.inference.server import gate
from tests.inference.scripted_engine import ScriptedEngine
from tests.inference.server.test_openai_client import PLAIN, says
from tests.inference.serving import loaded, serving

KEY = "sesame"


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "Bearer",
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY}x",
        f"Bearer {KEY.upper()}",
        f"Basic {KEY}",
        KEY,
        "Bearer ś",
    ],
)
async def test_no_other_key_opens_anything_but_health_and_metrics(sent: str) -> None:
    headers = {"Authorization": sent.encode()} if sent else {}
    async with (
        serving(loaded(PLAIN, ScriptedEngine(says(PLAIN, "Hi"))), api_key=KEY) as (_, url),
        httpx2.AsyncClient(base_url=url, trust_env=False, headers=headers) as client,
    ):
        for path in ("/v1/models", "/openapi.json", "/", "/health/x"):
            assert (await client.get(path)).status_code == 401
        for path in ("/v1/chat/completions", "/tokenize"):
            assert (await client.post(path, json={})).status_code == 401
        for path in ("/health", "/metrics"):
            assert (await client.get(path)).status_code == 200
        counted = (await client.get("/metrics")).text
        assert 'bot_requests_refused_total{model_name="tiny",status="401"} 6.0' in counted


async def test_a_key_is_compared_whole_in_a_time_that_tells_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[tuple[Any, Any]] = []

    def watched(sent: bytes, expected: bytes) -> bool:
        compared.append((sent, expected))
        return compare_digest(sent, expected)

    monkeypatch.setattr(gate.hmac, "compare_digest", watched)
    wrong = f"Bearer {KEY[:-1]}!"
    async with (
        serving(loaded(PLAIN, ScriptedEngine(says(PLAIN, "Hi"))), api_key=KEY) as (_, url),
        httpx2.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        response = await client.get("/v1/models", headers={"Authorization": wrong})
    assert response.status_code == 401
    assert compared == [(wrong.encode(), f"Bearer {KEY}".encode())]
