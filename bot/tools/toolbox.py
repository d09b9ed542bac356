"""All the tools that there are."""

from bot.config import Config
from bot.tools.calculator import CALCULATOR
from bot.tools.clock import NOW
from bot.tools.session import Session


class Toolbox:
    """Gives each answer its tools."""

    def open(self, config: Config) -> Session:
        """The tools of one answer."""
        return Session([CALCULATOR, NOW], config.tools)
