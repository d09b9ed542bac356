"""Who may see the status page, and who may send it anything."""

import re
from pathlib import Path

import httpx2
import pytest

from bot.exit_code import ExitCode
from bot.listener import ListenError
from tests.http_client import http_client
from tests.status.conftest import Page, shown

TOKEN = "open-sesame"


def form_token(html: str) -> str:
    found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', html)
    assert found
    return found[1]


async def sign_in(page: Page, token: str) -> httpx2.Response:
    form = (await page.http.get("/login")).text
    filled = {"csrf_token": form_token(form), "token": token}
    return await page.http.post("/login", data=filled, headers={"Origin": page.url})


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0"])
async def test_without_a_token_only_this_machine_sees_it(tmp_path: Path, listen: str) -> None:
    with pytest.raises(ListenError, match=r"status\.listen is .* set status\.token too") as info:
        async with shown(tmp_path, listen=listen):
            pass
    assert info.value.exit_code is ExitCode.UNUSABLE


@pytest.mark.parametrize("path", ["/", "/events", "/plots/hour", "/nothing"])
async def test_with_a_token_nothing_is_shown_before_it_is_given(tmp_path: Path, path: str) -> None:
    async with shown(tmp_path, token=TOKEN) as page:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
            response = await page.http.get(path, headers=headers)
            assert response.status_code == 401
            assert "scripted" not in response.text
            assert TOKEN not in response.text


async def test_the_token_opens_it_as_a_header_and_through_the_form(tmp_path: Path) -> None:
    async with shown(tmp_path, token=TOKEN) as page:
        by_header = await page.http.get("/", headers={"Authorization": f"Bearer {TOKEN}"})
        assert by_header.status_code == 200
        assert (await page.http.get("/")).status_code == 401
        assert (await sign_in(page, "wrong")).status_code == 401
        assert (await page.http.get("/")).status_code == 401
        right = await sign_in(page, TOKEN)
        assert right.status_code == 303
        cookie = right.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert TOKEN not in cookie
        assert (await page.http.get("/")).status_code == 200
        forged = await page.http.post("/logout", headers={"Origin": page.url})
        assert forged.status_code == 403
        leave = {"csrf_token": form_token((await page.http.get("/")).text)}
        await page.http.post("/logout", data=leave, headers={"Origin": page.url})
        assert (await page.http.get("/")).status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "192.0.2.1", "", "a b"]
)
async def test_another_hosts_name_is_refused(page: Page, host: str) -> None:
    response = await page.http.get("/", headers={"Host": host})
    assert response.status_code in (400, 403)
    assert "scripted" not in response.text


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1234", "127.0.0.1:8765", "[::1]:8765"])
async def test_this_machines_names_are_taken(page: Page, host: str) -> None:
    assert (await page.http.get("/", headers={"Host": host})).status_code == 200


async def test_a_proxys_name_is_taken_once_it_is_configured(tmp_path: Path) -> None:
    async with shown(tmp_path, hosts=["bot.example.org"]) as page:
        for host, status in (("bot.example.org", 200), ("other.example.org", 403)):
            response = await page.http.get("/", headers={"Host": host})
            assert response.status_code == status


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", None])
async def test_a_form_from_another_page_is_refused(tmp_path: Path, origin: str | None) -> None:
    async with shown(tmp_path, token=TOKEN) as page:
        form = (await page.http.get("/login")).text
        filled = {"csrf_token": form_token(form), "token": TOKEN}
        headers = {} if origin is None else {"Origin": origin}
        response = await page.http.post("/login", data=filled, headers=headers)
        assert response.status_code == 403
        assert (await page.http.get("/")).status_code == 401


@pytest.mark.parametrize("forged", [None, "", "20990101000000##0", "another session's"])
async def test_a_form_without_the_sessions_own_token_is_refused(
    tmp_path: Path, forged: str | None
) -> None:
    async with shown(tmp_path, token=TOKEN) as page:
        if forged == "another session's":
            async with http_client(page.url) as other:
                forged = form_token((await other.get("/login")).text)
        filled = {"token": TOKEN} | ({} if forged is None else {"csrf_token": forged})
        response = await page.http.post("/login", data=filled, headers={"Origin": page.url})
        assert response.status_code == 401
        assert (await page.http.get("/")).status_code == 401


@pytest.mark.parametrize("path", ["/", "/login", "/nothing", "/static/status.js"])
async def test_a_browser_is_told_to_load_and_frame_nothing_from_elsewhere(
    page: Page, path: str
) -> None:
    response = await page.http.get(path)
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    addresses = re.findall(r'(?:src|href|action|sse-connect)="([^"]+)"', response.text)
    assert all(address.startswith(("/", "#")) for address in addresses)


async def test_a_form_that_is_too_large_is_refused(page: Page) -> None:
    body = b"token=" + b"a" * 2**19
    response = await page.http.post("/login", content=body, headers={"Origin": page.url})
    assert response.status_code == 413
