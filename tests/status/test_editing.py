"""Personas and settings on the status page: read, changed as in chat, and recorded."""

import re
from collections.abc import Mapping
from pathlib import Path

import httpx2
import pytest

from bot.config import Effort
from bot.conversation.events import Author, Place
from tests.conversation.conftest import ADMIN, THREAD
from tests.status.conftest import Page, shown
from tests.status.test_guard import form_token

SERVER = Place("discord", "server-7", "channel-8")
BOSS = Author("person-1", "Ann Onymous", admin=True)


async def server_page(page: Page, name: str = "Discord, server 1") -> str:
    """The address of a server's page, from the list of all."""
    links = re.findall(r'href="(/servers/\w+)">([^<]+)<', await page.text("/servers"))
    return next(address for address, shown in links if shown == name)


async def send(page: Page, form: str, to: str, values: Mapping[str, str]) -> httpx2.Response:
    """Fill in and send the form of the page at `form`."""
    filled = {"csrf_token": form_token(await page.text(form))} | dict(values)
    return await page.http.post(to, data=filled, headers={"Origin": page.url})


def rows(html: str) -> list[list[str]]:
    """The cells of a page's table."""
    bodies = re.findall(r"<tbody>(.*?)</tbody>", html, re.DOTALL)
    cells = r"<t[hd][^>]*>(.*?)</t[hd]>"
    found = re.findall(r"<tr>(.*?)</tr>", "".join(bodies), re.DOTALL)
    return [
        [re.sub("<[^>]+>", "", c).strip() for c in re.findall(cells, r, re.DOTALL)] for r in found
    ]


async def test_a_setting_that_is_changed_on_the_page_holds_in_chat(page: Page) -> None:
    await page.chat.command("/effort low server", BOSS, SERVER)
    server = await server_page(page)
    assert "<option selected>low</option>" in await page.text(server)
    response = await send(page, server, f"{server}/settings/effort", {"value": "high"})
    assert response.status_code == 303
    assert "Effort is now high for the whole server." in await page.text(server)
    assert (await page.chat.core.read(SERVER)).effort.value is Effort.HIGH
    await send(page, server, f"{server}/settings/answer", {"value": "thread"})
    assert (await page.chat.core.read(SERVER)).settings.answer.value == "thread"
    wrong = await send(page, server, f"{server}/settings/time_zone", {"value": "Atlantis"})
    assert wrong.status_code == 422
    assert "Europe/Berlin" in wrong.text
    narrower = {"value": "medium", "channel": SERVER.channel}
    await send(page, server, f"{server}/settings/effort", narrower)
    assert (await page.chat.core.read(SERVER)).effort.value is Effort.MEDIUM


async def test_a_persona_is_made_edited_deleted_and_brought_back_with_its_versions(
    page: Page,
) -> None:
    await page.chat.command("/effort low server", BOSS, SERVER)
    server = await server_page(page)
    pirate = f"{server}/personas/pirate"
    made = {"name": "pirate", "text": "Talk like a pirate.\r\nArr!", "level": "high"}
    assert (await send(page, server, f"{server}/personas", made)).status_code == 303
    persona = (await page.chat.core.read(SERVER)).personas["pirate"]
    assert (persona.prompt, persona.effort) == ("Talk like a pirate.\nArr!", Effort.HIGH)
    edited = {"text": "Talk like <b>Blackbeard</b>.", "description": "For the sea"}
    await send(page, pirate, pirate, edited)
    text = await page.text(pirate)
    assert "&lt;b&gt;Blackbeard" in text
    assert [row[0] for row in rows(text)] == ["2", "1"]
    await send(page, pirate, f"{pirate}/delete", {})
    assert "pirate" not in (await page.chat.core.read(SERVER)).personas
    await send(page, pirate, f"{pirate}/undo", {})
    shown = await page.chat.command("/persona show pirate", BOSS, SERVER)
    assert "Blackbeard" in shown
    assert "version 4" in shown


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"name": "Pirate!", "text": "Arr"}, "1 to 32 of a-z"),
        ({"name": "pirate", "text": "a" * 8001}, "1 to 8000 characters"),
        ({"name": "pirate", "text": " "}, "1 to 8000 characters"),
        ({"name": "riddles", "text": "Arr"}, "riddles"),
    ],
)
async def test_what_chat_would_refuse_the_page_refuses_and_keeps_what_was_typed(
    page: Page, wrong: dict[str, str], problem: str
) -> None:
    await page.chat.command("/effort low server", BOSS, SERVER)
    server = await server_page(page)
    response = await send(page, server, f"{server}/personas", wrong)
    assert response.status_code == 422
    assert problem in response.text
    assert f'value="{wrong["name"]}"' in response.text
    assert await page.chat.core.store.personas.newest("discord", "server-7") == []


async def test_a_forged_change_changes_nothing(page: Page) -> None:
    await page.chat.command("/effort low server", BOSS, SERVER)
    server = await server_page(page)
    forged = {"csrf_token": "20990101000000##0", "value": "high"}
    for origin, status in (("http://evil.example", 403), (page.url, 422)):
        to, headers = f"{server}/settings/effort", {"Origin": origin}
        response = await page.http.post(to, data=forged, headers=headers)
        assert response.status_code == status
    assert (await page.chat.core.read(SERVER)).effort.value is Effort.LOW


async def test_who_changed_what_is_told_wherever_it_was_changed(tmp_path: Path) -> None:
    async with shown(tmp_path, show_ids=True) as page:
        await page.chat.command("/effort low server", BOSS, SERVER)
        await page.chat.command("/effort high", ADMIN, THREAD)
        await page.chat.command("/persona create pirate Arr!", BOSS, SERVER)
        server = await server_page(page, "Discord server-7")
        await send(page, server, f"{server}/settings/effort", {"value": "high"})
        await send(page, server, f"{server}/settings/effort", {"value": "high"})  # changes nothing
        persona = f"{server}/personas/pirate"
        await send(page, persona, f"{persona}/delete", {})
        found = [row[1:] for row in rows(await page.text("/changes"))]
    assert found == [
        ["on this page", "Discord server-7", "persona pirate", "version 1", "none"],
        ["on this page", "Discord server-7", "effort", "low", "high"],
        ["person-1", "Discord server-7", "persona pirate", "none", "version 1"],
        [ADMIN.id, f"Test, a thread {THREAD.thread}", "effort", "none", "high"],
        ["person-1", "Discord server-7", "effort", "none", "low"],
    ]


async def test_changes_name_nobody_unless_that_is_allowed_or_after_they_are_forgotten(
    page: Page,
) -> None:
    await page.chat.command("/effort low server", BOSS, SERVER)
    text = await page.text("/changes")
    assert "somebody on Discord" in text
    assert "Discord, server 1" in text
    assert "person-1" not in text
    assert "server-7" not in text
    await page.chat.command("/forget", BOSS, SERVER)
    assert "somebody who asked to be forgotten" in await page.text("/changes")


async def test_what_is_not_there_is_not_found(page: Page) -> None:
    await page.chat.command("/effort low server", BOSS, SERVER)
    server = await server_page(page)
    for path in ("/servers/0000", f"{server}/personas/nobody", "/nothing"):
        assert (await page.http.get(path)).status_code == 404
