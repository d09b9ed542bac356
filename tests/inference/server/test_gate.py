"""Who may listen where, and who is let in."""

from hmac import compare_digest
from typing import Any

import pytest

pytest.importorskip("transformers")

from bot.inference.server import gate
from tests.http_client import http_client
from tests.inference.scripted_engine import ScriptedEngine
from tests.inference.server.test_openai_client import PLAIN, says
from tests.inference.serving import loaded, serving

KEY = "sesame"
CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]}


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
        http_client(url, headers=headers) as client,
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
        http_client(url) as client,
    ):
        response = await client.get("/v1/models", headers={"Authorization": wrong})
    assert response.status_code == 401
    assert compared == [(wrong.encode(), f"Bearer {KEY}".encode())]


FROM_A_PAGE = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:8000"},
    {"Host": "evil.example"},
    {"Host": "evil.example:8000"},
    {"Host": "localhost.evil.example"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": "192.168.0.7:8000"},
    {"Host": "[::1"},
]


@pytest.mark.parametrize("headers", FROM_A_PAGE)
async def test_without_a_key_no_web_page_may_ask(headers: dict[str, str]) -> None:
    async with (
        serving(loaded(PLAIN, ScriptedEngine(says(PLAIN, "Hi")))) as (_, url),
        http_client(url, headers=headers) as client,
    ):
        for path in ("/v1/models", "/health", "/metrics"):
            assert (await client.get(path)).status_code == 403
        refused = await client.post("/v1/chat/completions", json=CHAT)
    assert refused.status_code == 403
    assert "needs inference.api_key" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    "host", ["localhost:8000", "LOCALHOST", "127.0.0.1:1", "127.9.9.9", "[::1]:8000"]
)
async def test_without_a_key_this_machine_may_ask_by_any_of_its_names(host: str) -> None:
    async with (
        serving(loaded(PLAIN, ScriptedEngine(says(PLAIN, "Hi")))) as (_, url),
        http_client(url, headers={"Host": host}) as client,
    ):
        assert (await client.get("/v1/models")).status_code == 200


@pytest.mark.parametrize("headers", FROM_A_PAGE[:4])
async def test_with_a_key_it_does_not_matter_from_where_one_asks(headers: dict[str, str]) -> None:
    headers = headers | {"Authorization": f"Bearer {KEY}"}
    async with (
        serving(loaded(PLAIN, ScriptedEngine(says(PLAIN, "Hi"))), api_key=KEY) as (_, url),
        http_client(url, headers=headers) as client,
    ):
        assert (await client.get("/v1/models")).status_code == 200


@pytest.mark.parametrize(
    "body", [b"[%s[]]" % (b"[]," * 2_600_000), b'{"messages": [%s{}]}' % (b"{}," * 2_500_000)]
)
async def test_a_body_of_more_values_than_a_prompt_has_is_refused_before_it_is_parsed(
    body: bytes,
) -> None:
    async with (
        serving(loaded(PLAIN, ScriptedEngine(says(PLAIN, "Hi")))) as (_, url),
        http_client(url) as client,
    ):
        refused = await client.post("/v1/chat/completions", content=body)
    assert refused.status_code == 413
    assert refused.json()["error"]["message"] == "The body has over 524288 values."


async def test_a_long_text_full_of_commas_is_no_such_body() -> None:
    body = {"model": "tiny", "messages": [{"role": "user", "content": "a, [b]; " * 100_000}]}
    async with (
        serving(loaded(PLAIN, ScriptedEngine(says(PLAIN, "Hi")))) as (_, url),
        http_client(url) as client,
    ):
        assert (await client.post("/tokenize", json=body)).status_code == 200


async def test_pages_of_the_origins_that_are_set_may_ask_from_a_browser() -> None:
    page = {"Origin": "https://chat.example.org"}
    wish = {"Access-Control-Request-Method": "POST"}
    engine = ScriptedEngine(says(PLAIN, "Hi"))
    async with (
        serving(loaded(PLAIN, engine), origins=["https://chat.example.org"]) as (_, url),
        http_client(url) as client,
    ):
        asked = await client.options("/v1/chat/completions", headers=page | wish)
        models = await client.get("/v1/models", headers=page)
        other = await client.get("/v1/models", headers={"Origin": "https://evil.example"})
    for response in (asked, models):
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == "https://chat.example.org"
    assert other.status_code == 403
    assert "access-control-allow-origin" not in other.headers
