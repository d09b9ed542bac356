"""What the status page shows, and what it never shows."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import structlog

from bot.client import ServiceMetrics
from bot.conversation.events import Author, Place
from bot.inference.server.metrics import Metrics
from tests.doubles.inference import Queue, Say, ScriptedInference, Wait
from tests.status.conftest import Page, shown
from tests.waiting import HANG_SECONDS

SECRET = "What nobody else may read"
PERSON = Author("person-1", "Ann Onymous")
PLACE = Place("discord", "server-7", "channel-8", "thread-9")


class Watcher:
    """Reads the page's events; `html` is the newest part."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.html = ""

    async def parts(self) -> AsyncIterator[str]:
        async with self._page.http.stream("GET", "/events", timeout=HANG_SECONDS) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            lines: list[str] = []
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    lines.append(line.removeprefix("data: "))
                elif not line and lines:
                    yield "\n".join(lines)
                    lines.clear()

    async def until(self, *texts: str) -> str:
        """Wait for a part that has all of these."""
        async with asyncio.timeout(HANG_SECONDS):
            async for part in self.parts():
                if all(text in part for text in texts):
                    return part
        raise AssertionError


async def test_what_runs_and_waits_is_shown_without_who_where_and_what(page: Page) -> None:
    go_on = asyncio.Event()
    page.chat.inference.script(Say("Secret answer"), Wait(go_on))
    page.chat.inference.script(Queue(1, 30.0), Wait(go_on), Say("x"))
    replies = [await page.chat.ask(f"{SECRET} {n}", PERSON, PLACE) for n in range(2)]
    part = await Watcher(page).until("Writing…", "Number 1 in the queue", "1 running, 1 waiting")
    whole = part + await page.text()
    for hidden in (SECRET, "Secret", PERSON.name, PERSON.id, PLACE.server, PLACE.channel):
        assert hidden not in whole
    go_on.set()
    for reply in replies:
        await page.chat.ended(reply)
    await Watcher(page).until("Nobody waits for an answer.", "of 2 answers in the last hour")


async def test_who_and_where_are_shown_where_that_is_allowed(tmp_path: Path) -> None:
    async with shown(tmp_path, show_ids=True) as page:
        page.chat.inference.script(Say("x"), Wait(go_on := asyncio.Event()))
        reply = await page.chat.ask(SECRET, PERSON, PLACE)
        part = await Watcher(page).until("person-1", "server-7 / channel-8 / thread-9", "Discord")
        assert SECRET not in part
        go_on.set()
        await page.chat.ended(reply)


async def test_a_server_that_measures_nothing_is_said_to_tell_nothing(page: Page) -> None:
    part = await Watcher(page).until("The model is ready.")
    assert part.count("not told by this server") >= 2  # card memory, prefix hits
    assert "counted by the bot" in part
    assert "scripted" in part


async def test_a_service_on_its_way_shows_how_far_it_is(tmp_path: Path) -> None:
    inference = ScriptedInference()
    inference.ready = False
    async with shown(tmp_path, inference) as page:
        await Watcher(page).until("loading 50%")


async def test_it_speaks_the_bots_language(tmp_path: Path) -> None:
    async with shown(tmp_path) as page:
        defaults = page.chat.configs[-1].defaults.model_copy(update={"language": "de"})
        page.chat.configure(page.chat.configs[-1].model_copy(update={"defaults": defaults}))
        text = await page.text()
        assert '<html lang="de">' in text
        assert "Übersicht" in text


async def test_markup_in_names_stays_text(tmp_path: Path) -> None:
    inference = ScriptedInference()
    inference.model = inference.model | {"id": "<script>alert(1)</script>"}
    async with shown(tmp_path, inference) as page:
        part = await Watcher(page).until("&lt;script&gt;")
        assert "<script>" not in part


def test_what_our_service_and_others_measure_is_read() -> None:
    metrics = Metrics("model")
    metrics.refused(429)
    ours = metrics.render(running=2, waiting=3, sequences=2, card_memory=(5, 10)).decode()
    found = ServiceMetrics.read(ours)
    assert (found.running, found.waiting, found.generated) == (2, 3, 0)
    assert (found.card_used, found.card_total, found.queried) == (5, 10, 0)
    vllm = """# HELP vllm:num_requests_running Number of requests
vllm:num_requests_running{engine="0",model_name="a"} 1.0
vllm:num_requests_running{engine="1",model_name="a"} 2.0
vllm:generation_tokens_total{engine="0",model_name="a"} 10.0
python_info{implementation="CPython"} 1.0
"""
    assert ServiceMetrics.read(vllm) == ServiceMetrics(running=3, generated=10)
    assert ServiceMetrics.read("llamacpp:requests_deferred 4\n") == ServiceMetrics(waiting=4)
    assert ServiceMetrics.read("<html>vllm:num_requests_running</html>") == ServiceMetrics()
    assert ServiceMetrics.read("vllm:num_requests_running many\n") == ServiceMetrics()


async def test_the_logs_warnings_are_shown_without_their_values(page: Page) -> None:
    structlog.get_logger("bot.test").warning("something went wrong", detail="a secret value")
    logging.getLogger("another.library").error("it said %s", "a secret value")
    text = await page.text()
    assert "something went wrong" in text
    assert "another.library" in text
    assert "a secret value" not in text


async def test_what_tools_sent_out_is_told(page: Page) -> None:
    assert "<p>nothing</p>" in await page.text()
    toolbox = page.chat.core.responder.toolbox
    toolbox._receipt_of(("test", "server")).add("example.org", "browser.open", 612)
    assert "<p>612 B to example.org (browser.open)</p>" in await page.text()
