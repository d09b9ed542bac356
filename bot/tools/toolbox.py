"""All the tools that there are, and what has left through them."""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from bot.config import Config
from bot.tools.asking import Asking
from bot.tools.calculator import CALCULATOR
from bot.tools.clock import clock
from bot.tools.outbound import Outbound, origin_of, parsed_url
from bot.tools.receipt import Receipt
from bot.tools.session import Session
from bot.tools.taint import Taint
from bot.tools.web.browser import Browser
from bot.tools.web.engines import BRAVE, engine

PAGES = "*"
"""Among what may be reached: any page of the web."""
REMEMBERED = 2000
"""Servers whose receipts are kept."""


class Toolbox:
    """Gives each answer its tools."""

    def __init__(self) -> None:
        self._receipts: OrderedDict[tuple[str, str], Receipt] = OrderedDict()

    def open(self, config: Config, asking: Asking) -> Session:
        """The tools of one answer."""
        receipt, total = Receipt(), self._receipt_of(asking)

        def note(tool: str, host: str, count: int) -> None:
            receipt.add(host, tool, count)
            total.add(host, tool, count)

        browser = _browser(config, note)
        tools = [CALCULATOR, clock(asking.time_zone), *(browser.tools() if browser else ())]
        taint = Taint(asking.texts, tainted=asking.tainted)
        return Session(tools, config.tools, taint, receipt, browser)

    def reachable(self, config: Config) -> list[str]:
        """The hosts that tools may reach; PAGES for pages of the web."""
        if config.web.search == "none":
            return []
        search = parsed_url(config.web.url or BRAVE).host
        return [search, PAGES] if config.web.fetch else [search]

    def sent(self, platform: str, server: str) -> Receipt:
        """What left for a server's answers since the bot started."""
        return self._receipts.get((platform, server)) or Receipt()

    def all_sent(self) -> Receipt:
        """What left for all servers."""
        whole = Receipt()
        for receipt in self._receipts.values():
            for host, sent in receipt:
                for tool in sent.tools:
                    whole.add(host, tool, 0)
                whole.add(host, next(iter(sent.tools)), sent.bytes)
        return whole

    def _receipt_of(self, asking: Asking) -> Receipt:
        key = (asking.platform, asking.server)
        receipt = self._receipts.setdefault(key, Receipt())
        self._receipts.move_to_end(key)
        while len(self._receipts) > REMEMBERED:
            self._receipts.popitem(last=False)
        return receipt


def _browser(config: Config, note: Callable[[str, str, int], None]) -> Browser | None:
    """None where the web is off. Only the search engine may be at a private address."""
    web = config.web
    if web.search == "none":
        return None
    trusted = frozenset({origin_of(parsed_url(web.url))} if web.url else ())

    def gate(tool: str) -> Outbound:
        return Outbound(partial(note, tool), trusted)

    return Browser(gate("browser.open"), engine(web, gate("browser.search")), fetch=web.fetch)
