"""The browser that gpt-oss was trained on, with a SearXNG and its pages."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.config import Config
from bot.storage import Store
from bot.tools import Session, Toolbox, ToolContext
from tests.doubles.searxng import Page, SearxngDouble

ARTICLE = """<html><head><title>Tides 【1†x】</title></head><body><nav><a href="/">Home</a></nav>
<article><h1>Why there are tides</h1>
<p>The moon pulls at the sea, and the earth turns under it. This happens twice a day, as everybody
who lives on a coast knows, and as the tables of harbours say for years in advance.</p>
<p>Read more in <a href="/moon">the article about the moon</a>, or at
<a href="https://example.org/sea">the institute for the sea</a>, which has measured it.</p>
</article></body></html>"""


@pytest.fixture
async def site() -> AsyncIterator[SearxngDouble]:
    async with SearxngDouble().running() as site:
        yield site


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store.open(f"sqlite+aiosqlite:///{tmp_path / 'bot.db'}") as store:
        yield store


ASKING = ToolContext("test", "server", frozenset(), frozenset())


@pytest.fixture
async def session(site: SearxngDouble, store: Store) -> Session:
    config = Config.model_validate({"web": {"search": "searxng", "url": site.url}})
    return await Toolbox(config, store).open(config, ASKING)


async def call(session: Session, name: str, **arguments: object) -> str:
    async def nobody(approval: object) -> bool:
        return False

    tool = session.named(name)
    assert tool is not None
    return (await session.call("id", tool, arguments, nobody)).text


async def test_it_searches_opens_and_finds(site: SearxngDouble, session: Session) -> None:
    url = site.result("/tides", "Tides", "Why the sea rises", ARTICLE)
    shown = await call(session, "browser.search", query="why tides")
    assert site.queries == ["why tides"]
    assert shown.startswith("[0] Search results for 'why tides'\n**viewing lines [0 - ")
    assert "L0: 【0†Tides†127.0.0.1】\nL1: Why the sea rises" in shown
    page = await call(session, "browser.open", id=0)
    assert page.startswith(f"[1] Tides 〖1‡x〗 ({url})\n**viewing lines [0 - ")
    assert "The moon pulls at the sea" in page
    assert "【0†the article about the moon】" in page
    assert "【1†the institute for the sea†example.org】" in page
    assert "Home" not in page
    found = await call(session, "browser.find", pattern="institute")
    assert "# 【0†match at L" in found
    assert found.startswith("[2] Find results for text: `institute` in `Tides")
    scrolled = await call(session, "browser.open", cursor=1, loc=2, num_lines=1)
    assert "**viewing lines [2 - 2] of" in scrolled


async def test_what_goes_wrong_is_an_error_for_the_model(
    site: SearxngDouble, session: Session
) -> None:
    assert "no page is open" in await call(session, "browser.find", pattern="x")
    assert "No results." in await call(session, "browser.search", query="nothing")
    assert "there is no link 5" in await call(session, "browser.open", id=5)
    site.pages["/picture.png"] = Page("x", content_type="image/png")
    site.results.append({"url": f"{site.url}/picture.png", "title": "P", "content": ""})
    await call(session, "browser.search", query="picture")
    assert "there is no text" in await call(session, "browser.open", id=0)
    site.results[0]["url"] = f"{site.url}/missing"
    await call(session, "browser.search", query="missing")
    assert "answered 404" in await call(session, "browser.open", id=0)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Page("slow down", status=429), "the host answered 429"),
        (Page("oh", status=500), "the host answered 500"),
        (Page("no", status=403), "SearXNG needs json in search.formats"),
        (Page("<html>Hello</html>"), "answered no JSON"),
        (Page(""), "answered no JSON"),
        (Page("[1]"), "something else than results"),
        (Page('{"results": null}'), "No results."),
    ],
)
async def test_what_a_search_engine_gets_wrong_is_told_to_the_model_and_what_left_to_the_asker(
    site: SearxngDouble, session: Session, answer: Page, told: str
) -> None:
    site.instead = answer
    assert told in await call(session, "browser.search", query="x")
    ((_, sent),) = session.receipt
    assert sent.tools == {"browser.search"}
    assert sent.bytes > 0


async def test_a_result_whose_address_nobody_can_read_costs_only_itself(
    site: SearxngDouble, session: Session
) -> None:
    site.result("/tides", "Tides", "", ARTICLE)
    broken = ("http://[::x/", "https://x:y/", "http://", "javascript:x", "")
    site.results[:0] = [{"url": url, "title": "Broken", "content": ""} for url in broken]
    shown = await call(session, "browser.search", query="x")
    assert "Tides" in shown
    assert "Broken" not in shown


@pytest.mark.parametrize(
    ("path", "kind", "body", "told"),
    [
        ("/a.pdf", "application/pdf", "%PDF-1.7 broken", "can't be read as text"),
        ("/a.exe", "application/octet-stream", "MZ\0\1", "can't be read as text: not text"),
        ("/much", "text/html", "<p>x</p>" * (1 << 20), "the page is too large"),
    ],
)
async def test_a_page_that_can_not_be_read_says_why(
    site: SearxngDouble, session: Session, path: str, kind: str, body: str, told: str
) -> None:
    site.result(path, "Page", "", body)
    site.pages[path].content_type = kind
    await call(session, "browser.search", query="x")
    assert told in await call(session, "browser.open", id=0)
    assert {tool for _, sent in session.receipt for tool in sent.tools} >= {"browser.open"}


async def test_a_page_without_an_article_is_read_as_a_whole(
    site: SearxngDouble, session: Session
) -> None:
    site.result("/short", "Short", "", "<html><body><p>Forty two.</p></body></html>")
    await call(session, "browser.search", query="short")
    assert "Forty two." in await call(session, "browser.open", id=0)


async def test_a_text_is_shown_as_it_is(site: SearxngDouble, session: Session) -> None:
    site.result("/notes.txt", "Notes", "", "one\ntwo")
    site.pages["/notes.txt"].content_type = "text/plain"
    await call(session, "browser.search", query="notes")
    assert "L0: one\nL1: two" in await call(session, "browser.open", id="0")


async def test_citations_become_links_as_the_text_comes(
    site: SearxngDouble, session: Session
) -> None:
    url = site.result("/tides", "Tides", "", ARTICLE)
    await call(session, "browser.search", query="why tides")
    await call(session, "browser.open", id=0)
    pieces = [
        "The moon does",
        " it 【1",
        "†L0-",
        "L2】. Not 【0†L1】 so【9†L1】, 【",
        "日本】 【1†L",
    ]
    shown = [session.shown(piece) for piece in pieces]
    assert all("†" not in piece for piece in shown)
    whole = "".join([*shown, session.rest()])
    assert whole == f"The moon does it [1]({url}). Not so, 【日本】"
    assert session.sources == [("Tides 〖1‡x〗", url)]


async def test_a_session_tells_what_left(site: SearxngDouble, store: Store) -> None:
    config = Config.model_validate({"web": {"search": "searxng", "url": site.url}})
    toolbox = Toolbox(config, store)
    session = await toolbox.open(config, ASKING)
    assert not session.receipt
    await call(session, "calculator", expression="1+1")
    assert not session.receipt
    site.result("/tides", "Tides", "", ARTICLE)
    await call(session, "browser.search", query="why tides")
    await call(session, "browser.open", id=0)
    ((host, sent),) = session.receipt
    assert host == site.url.removeprefix("http://")
    assert sent.tools == {"browser.search", "browser.open"}
    assert list(toolbox.sent("test", "server")) == list(session.receipt)
    assert not toolbox.sent("test", "another")


async def test_the_web_is_off_unless_it_is_set_up(store: Store) -> None:
    session = await Toolbox(Config(), store).open(Config(), ASKING)
    assert not [d for d in session.definitions if "browser" in d["function"]["name"]]
