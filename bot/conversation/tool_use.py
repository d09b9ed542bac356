"""The tool calls of one answer: each is made, shown, and sent to the model in the next request."""

import json
import re
from collections.abc import Sequence
from typing import Any

from bot.client import ToolCall
from bot.conversation.reply import Reply, ReplyState, Step, StepState
from bot.tools import Session, ToolError, ToolResult
from bot.tools.definition import parsed

LAST_SHARE = 4
"""The last request of an answer has at least this part of the answer's tokens: it always comes."""
TURNS_SHARE = 2
"""Calls and results take up at most this part of what the prompt may have."""
CHARACTERS_PER_TOKEN = 3
LEFT_OUT = "[left out, for there was no room]"

_BAD_NAME = re.compile(r"[^\w.-]+", re.ASCII)


class ToolUse:
    """The tool calls of one answer so far, and which may still be made.

    session: the answer's tools.
    most: calls that the answer may have.
    """

    def __init__(self, session: Session, reply: Reply, most: int) -> None:
        self.session = session
        self._reply = reply
        reply.receipt = session.receipt
        reply.foreign = session.taint.tainted
        self._left = most
        self._turns: list[dict[str, Any]] = []
        self.used = 0
        """Tokens that the model has written, in requests that ended."""

    @property
    def begun(self) -> bool:
        """Whether anything was called."""
        return bool(self._turns)

    @property
    def definitions(self) -> list[dict[str, Any]]:
        """All tools of the answer."""
        return self.session.definitions

    def offered(self, budget: int) -> list[dict[str, Any]]:
        """The tools of the next request; none where it must be the last, of `budget` tokens."""
        enough = self.used <= budget - budget // LAST_SHARE
        return self.definitions if self._left > 0 and enough else []

    def tokens(self, budget: int) -> int:
        """How many tokens the next request may write."""
        return max(budget - self.used, budget // LAST_SHARE)

    def turns(self, room: int) -> list[dict[str, Any]]:
        """The calls and their results as messages, within about `room` tokens.

        Of what is too long, the oldest results are left out first; the newest is cut.
        """
        turns = [dict(turn) for turn in self._turns]
        over = (tokens_of(turns) - room) * CHARACTERS_PER_TOKEN
        for turn in turns:
            if over <= 0:
                break
            if turn["role"] == "tool":
                text = str(turn["content"])
                kept = max(len(text) - over, 0) if turn is turns[-1] else 0
                turn["content"] = text[:kept] + LEFT_OUT
                over -= len(text) - kept
        return turns

    async def make(self, text: str, reasoning: str, calls: Sequence[ToolCall]) -> None:
        """Make the calls of one request, one after the other.

        text, reasoning: what the model wrote beside them; it reads both again.
        """
        turn: dict[str, Any] = {
            "role": "assistant",
            "content": text or None,
            "tool_calls": [_sent_back(call) for call in calls],
        }
        if reasoning:
            turn |= {"reasoning_content": reasoning, "reasoning": reasoning}
        self._turns.append(turn)
        for call in calls:
            result = await self._make(call)
            message = {"role": "tool", "tool_call_id": call.id, "content": result.text}
            self._turns.append(message)

    async def _make(self, call: ToolCall) -> ToolResult:
        """Make a call; whatever is wrong with it is a result too, from which the model learns."""
        tool = self.session.named(call.name)
        step = Step(call.id, tool.name if tool else call.name[:64])
        self._reply.steps.append(step)
        result = ToolResult("Error: no call was made", failed=True)
        try:
            if self._left <= 0:
                result = ToolResult("Error: no more calls may be made, so answer now", failed=True)
            elif tool is None:
                result = self.session.unknown(call.name)
            else:
                try:
                    arguments = parsed(call.arguments)
                except ToolError as error:
                    result = ToolResult(f"Error: {error}", failed=True)
                else:
                    step.about = self.session.about(tool, arguments)
                    self._reply.change(ReplyState.CALLING)
                    result = await self.session.call(call.id, tool, arguments, self._reply.ask)
        finally:  # also where the answer is stopped in the middle of it
            self._reply.sources = self.session.sources
            self._reply.foreign = self.session.taint.tainted
            self._left -= 1
            step.state = StepState.FAILED if result.failed else StepState.DONE
            step.output = result.shown
        self._reply.change(ReplyState.CALLING)
        return result


def _sent_back(call: ToolCall) -> dict[str, Any]:
    """A call as servers take it back: many refuse arguments that are no JSON object."""
    try:
        arguments = parsed(call.arguments)
    except ToolError:
        arguments = {}
    name = _BAD_NAME.sub("_", call.name)[:64] or "unknown"
    function = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
    return {"id": call.id, "type": "function", "function": function}


def without_dots(tools: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The definitions with names as OpenAI's own server takes them: `browser_search`."""
    return [
        tool | {"function": tool["function"] | {"name": tool["function"]["name"].replace(".", "_")}}
        for tool in tools
    ]


def tokens_of(parts: Sequence[Any]) -> int:
    """About how many tokens messages or definitions of tools are."""
    return len(json.dumps(parts, ensure_ascii=False).encode()) // CHARACTERS_PER_TOKEN
