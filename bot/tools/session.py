"""The tools of one answer: what may be called, and what came of it."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import structlog

from bot.config import ToolsConfig
from bot.tools.definition import Arguments, Tool, ToolError

log = structlog.get_logger()

RESULT_LENGTH = 20_000
"""Characters of a result that the model is given."""
ABOUT_LENGTH = 80


@dataclass(frozen=True)
class Outcome:
    """What the model is told of a call, and what the person is."""

    text: str
    shown: str = ""
    failed: bool = False


class Session:
    """One answer's."""

    def __init__(self, tools: Iterable[Tool], limits: ToolsConfig) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._limits = limits

    @property
    def definitions(self) -> list[dict[str, Any]]:
        """What the model is offered."""
        return [tool.definition for tool in self._tools.values()]

    def named(self, name: str) -> Tool | None:
        """The tool that a call names; some models write `functions.` before it."""
        return self._tools.get(name) or self._tools.get(name.removeprefix("functions."))

    def about(self, tool: Tool, arguments: Arguments) -> str:
        """What a call is about, in a few words; "" where there is nothing to say."""
        value = " ".join(str(arguments.get(tool.about) or "").split())
        return value if len(value) <= ABOUT_LENGTH else f"{value[:ABOUT_LENGTH]}…"

    async def call(self, tool: Tool, arguments: Arguments) -> Outcome:
        """Make a call within its time. Errors are told to the model, which may call again."""
        try:
            tool.check(arguments)
            async with asyncio.timeout(self._limits.timeout_seconds):
                output = await tool.run(arguments)
        except ToolError as error:
            return failed(str(error))
        except TimeoutError:
            return failed(f"it took longer than {self._limits.timeout_seconds:g} s")
        except Exception:
            log.exception("a tool failed", tool=tool.name)
            return failed("the tool failed")
        text = output.text
        if len(text) > RESULT_LENGTH:
            left_out = len(text) - RESULT_LENGTH
            text = f"{text[:RESULT_LENGTH]}\n[{left_out} more characters were left out]"
        return Outcome(text, output.shown)

    def unknown(self, name: str) -> Outcome:
        """What a call of no tool gives."""
        return failed(f"there is no tool {name[:64]!r}; there are: {', '.join(self._tools)}")


def failed(reason: str) -> Outcome:
    """A call that gave nothing."""
    return Outcome(f"Error: {reason}", failed=True)
