"""Who may listen where, and who is let in."""

import socket
from hmac import compare_digest
from typing import Any

import httpx2
import pytest

pytest.importorskip("transformers")

from bot.exit_code import ExitCode
from bot.inference.server import gate
from bot.inference.server.process import ListenError, bind
from tests.inference.scripted_engine import ScriptedEngine
from tests.inference.server.test_openai_client import PLAIN, says
from tests.inference.serving import loaded, serving

KEY = "sesame"
REACHABLE = ["0.0.0.0:0", "[::]:0", "0:0", "[::ffff:0.0.0.0]:0"]
"""Addresses that machines other than this one may reach, in ways to write them."""


@pytest.mark.parametrize("listen", REACHABLE)
def test_without_a_key_only_this_machine_is_listened_to(listen: str) -> None:
    with pytest.raises(ListenError, match="others can reach") as info:
        bind(listen, api_key="")
    assert info.value.exit_code is ExitCode.UNUSABLE


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.0.0.2:0", "localhost:0"])
def test_this_machine_is_listened_to_without_a_key(listen: str) -> None:
    with bind(listen, api_key="") as listener:
        assert listener.getsockname()[0].startswith(("127.", "::1"))


def test_with_a_key_every_address_may_be_listened_to() -> None:
    with bind("0.0.0.0:0", KEY) as listener:
        assert listener.getsockname()[0] == "0.0.0.0"


def test_what_is_written_to_a_client_leaves_at_once() -> None:
    with bind("127.0.0.1:0", "") as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


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


@pytest.mark.parametrize("listen", ["127.0.0.1:70000", "127.0.0.1:x", "8080", f"{'a' * 64}.b:80"])
def test_what_is_no_address_is_named(listen: str) -> None:
    with pytest.raises(ListenError, match="is no "):
        bind(listen, KEY)
