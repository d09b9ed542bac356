"""The status page in a real browser: on phone and desktop, light and dark, with the keyboard."""

import asyncio
import math
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page as Tab
from playwright.async_api import async_playwright

from bot.conversation.events import Author, Place
from bot.conversation.reply import ReplyState
from bot.inference.server.metrics import Metrics
from bot.status.recorder import EndedAnswer, Point, Recorder, this_hour
from bot.storage import AnswerCounts, AnswersKey, Load, Store
from tests.doubles.inference import Queue, Say, ScriptedInference, Wait
from tests.status.conftest import Page, shown
from tests.waiting import HANG_SECONDS

HANG_MS = HANG_SECONDS * 1000
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 1000}
LOUNGE = Place("discord", "9001", "lounge")
OFFICE = Place("slack", "T01", "office")
BOSS = Author("ann", "Ann", admin=True)
DRAWN_SHARES = """
() => [...document.querySelectorAll("canvas")].map(canvas => {
  const css = getComputedStyle(document.documentElement).getPropertyValue("--accent").trim();
  const wanted = [1, 3, 5].map(at => parseInt(css.slice(at, at + 2), 16));
  const {width, height} = canvas;
  const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
  const columns = new Set();
  for (let at = 0; at < data.length; at += 4)
    if (wanted.every((value, channel) => Math.abs(value - data[at + channel]) < 50))
      columns.add((at / 4) % width);
  return columns.size / width;
})
"""
"""How much of each plot's width its first curve reaches over."""
IMAGES = os.environ.get("STATUS_IMAGES", "")
"""The folder that screenshots go to; none are kept without it."""


@dataclass
class Browser:
    """A tab, and what went wrong in it: errors, and requests that went elsewhere."""

    tab: Tab
    page: Page
    problems: list[str] = field(default_factory=list)

    async def open(self, path: str) -> None:
        await self.tab.goto(f"{self.page.url}{path}")

    async def check(self) -> None:
        """Nobody is kept out, nothing is cut off, nothing went wrong."""
        results = await Axe().run(self.tab)
        assert results.violations_count == 0, results.generate_report()
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await self.tab.evaluate(overflow) == 0
        assert self.problems == []


@asynccontextmanager
async def browsing(page: Page, **options: Any) -> AsyncIterator[Browser]:
    """A browser at the page, with Playwright's options of a context."""
    async with async_playwright() as playwright:
        chromium = shutil.which("chromium") or playwright.chromium.executable_path
        if not os.access(chromium, os.X_OK):
            pytest.skip(
                "there is no browser: Debian's package chromium or `playwright install chromium`"
                " brings one"
            )
        launched = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        context = await launched.new_context(
            locale="en-GB", timezone_id="UTC", reduced_motion="reduce", **options
        )
        context.set_default_timeout(HANG_MS)
        browser = Browser(await context.new_page(), page)
        browser.tab.on("pageerror", lambda error: browser.problems.append(str(error)))
        browser.tab.on(
            "console",
            lambda message: message.type == "error" and browser.problems.append(message.text),
        )
        browser.tab.on(
            "request",
            lambda request: (
                request.url.startswith(page.url) or browser.problems.append(request.url)
            ),
        )
        yield browser
        await launched.close()


@asynccontextmanager
async def busy(folder: Path, **status: object) -> AsyncIterator[Page]:
    """A page with an hour and a month behind it, and answers that run and wait."""
    inference = ScriptedInference()
    inference.model |= {"id": "gpt-oss-20b", "max_model_len": 131072}
    metrics = Metrics("gpt-oss-20b")
    metrics._queried.inc(812_345)
    metrics._hits.inc(566_102)
    memory = (int(14.6 * 2**30), 24 * 2**30)
    inference.version = "0.1.0"

    async def write() -> None:
        while True:
            metrics._generation_tokens.inc(11)
            inference.metrics = metrics.render(
                running=1, waiting=1, sequences=1, card_memory=memory
            )
            await asyncio.sleep(0.1)

    writing = asyncio.create_task(write())
    async with shown(folder, inference, **status) as page:
        chat, go_on = page.chat, asyncio.Event()
        await chat.command("/effort high server", BOSS, LOUNGE)
        await chat.command("/persona create pirate Talk like a pirate.", BOSS, LOUNGE)
        await chat.command("/persona use concise server", BOSS, OFFICE)
        fill_hour(page.live.recorder)
        await fill_month(chat.core.store)
        inference.script(Say("Long ago, "), Say("in a harbour"), Wait(go_on))
        inference.script(Queue(1, 12.0), Wait(go_on), Say("x"))
        replies = [await chat.ask("Tell me", BOSS, LOUNGE), await chat.ask("Hi", BOSS, OFFICE)]
        yield page
        writing.cancel()
        go_on.set()
        for reply in replies:
            await chat.ended(reply)


def fill_hour(recorder: Recorder) -> None:
    now = int(time.time())
    for n in range(360):
        wave = math.sin(n / 20) ** 2 + 0.3 * math.sin(n / 3) ** 2
        recorder.points.append(
            Point(
                now - 10 * (360 - n),
                round(140 * wave, 1),
                round(90 + 20 * math.cos(n / 15), 1),
                round(0.4 + wave, 2),
                1 if wave > 0.2 else 0,
                int(3 * wave),
            )
        )
        seconds = 0.4 + wave
        recorder._ended.append(EndedAnswer(now - 8 * (360 - n), ReplyState.DONE, seconds, 90.0))


async def fill_month(store: Store) -> None:
    answers, load = {}, {}
    for n in range(1, 30 * 24, 2):
        hour = this_hour() - timedelta(hours=n)
        count = int(20 * (1 + math.sin(n / 4))) + 1
        for platform, server, persona, share in (
            ("discord", "9001", "pirate", 3),
            ("discord", "9002", "default", 2),
            ("slack", "T01", "concise", 1),
            ("slack", "", "default", 1),
        ):
            answers[AnswersKey(hour, platform, server, persona)] = AnswerCounts(
                answers=share * count,
                failed=int(n % 50 == 1),
                prompt_tokens=900 * share * count,
                cached_tokens=600 * share * count,
                completion_tokens=300 * share * count,
                first_texts=share * count,
                first_text_seconds=0.8 * share * count,
                writing_tokens=300 * share * count,
                writing_seconds=3.2 * share * count,
            )
        load[hour] = Load(360, 100, 30, count // 6, 100.0 + count)
    await store.hours.add(answers, load)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["phone", "desktop"])
async def test_everybody_can_use_the_overview(tmp_path: Path, size: str, scheme: str) -> None:
    viewport = PHONE if size == "phone" else DESKTOP
    async with (
        busy(tmp_path) as page,
        browsing(page, viewport=viewport, color_scheme=scheme) as browser,
    ):
        tab = browser.tab
        await browser.open("/")
        await tab.wait_for_selector("body[data-drawn=hour]")
        await tab.get_by_text("Writing…").wait_for()
        await tab.get_by_role("meter", name="Card memory").wait_for()
        shares = await tab.evaluate(DRAWN_SHARES)
        assert len(shares) == 3
        assert min(shares) > 0.5
        summary = await tab.locator(".summary").first.text_content()
        assert summary
        assert "all together:" in summary
        await browser.check()
        if IMAGES:
            await tab.get_by_text("of 360 answers").wait_for()
            await tab.screenshot(path=Path(IMAGES) / f"status-{size}-{scheme}.png")
        await tab.get_by_label("the last 30 days").check()
        await tab.wait_for_selector("body[data-drawn=days]")
        assert min(await tab.evaluate(DRAWN_SHARES)) > 0.5
        await browser.check()


async def test_it_changes_by_itself(tmp_path: Path) -> None:
    async with shown(tmp_path) as page, browsing(page) as browser:
        await browser.open("/")
        await browser.tab.get_by_text("Nobody waits for an answer.").wait_for()
        page.chat.inference.script(Say("x"), Wait(go_on := asyncio.Event()))
        reply = await page.chat.ask("Hi")
        await browser.tab.get_by_text("1 running, 0 waiting").wait_for()
        go_on.set()
        await page.chat.ended(reply)
        await browser.tab.get_by_text("of 1 answer in the last hour").wait_for()
        assert browser.problems == []


@pytest.mark.slow
async def test_a_persona_is_made_with_the_keyboard_only(tmp_path: Path) -> None:
    async with (
        busy(tmp_path, token="open-sesame") as page,
        browsing(page, viewport=PHONE) as browser,
    ):
        tab, keys = browser.tab, browser.tab.keyboard
        response = await tab.goto(page.url)
        assert response
        assert response.status == 401
        browser.problems.clear()  # the browser tells of the status
        await browser.check()
        await keys.type("open-sesame")  # the field has the focus
        await keys.press("Enter")
        await tab.get_by_role("heading", name="Overview").wait_for()
        await keys.press("Tab")
        assert await focused(tab) == "To the content"
        await reach(tab, "Personas and settings")
        await keys.press("Enter")
        await tab.get_by_role("heading", name="Personas and settings").wait_for()
        await browser.check()
        await reach(tab, "Discord, server 1")
        await keys.press("Enter")
        await tab.get_by_role("heading", name="New persona").wait_for()
        await browser.check()
        await reach(tab, "name")
        await keys.type("sailor")
        await keys.press("Tab")
        await keys.type("Talk like a sailor.")
        await reach(tab, "Save")
        await keys.press("Enter")
        await tab.get_by_text("Saved sailor, version 1.").wait_for()
        await reach(tab, "sailor")
        await keys.press("Enter")
        await tab.get_by_role("heading", name="sailor").wait_for()
        await browser.check()
        await browser.open("/changes")
        await tab.get_by_text("persona sailor").wait_for()
        await browser.check()


async def focused(tab: Tab) -> str:
    """The words or the name of what has the focus."""
    text = "document.activeElement.name || document.activeElement.textContent.trim()"
    return str(await tab.evaluate(text))


async def reach(tab: Tab, name: str) -> None:
    """Press Tab until the focus is there."""
    for _ in range(80):
        await tab.keyboard.press("Tab")
        if await focused(tab) == name:
            return
    raise AssertionError(f"the keyboard does not reach {name}")
