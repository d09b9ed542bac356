"""Puts calls together from the pieces that a stream brings.

https://platform.openai.com/docs/guides/function-calling#streaming
"""

from dataclasses import dataclass

from bot.client.events import CallDelta, ToolCall


@dataclass
class _PartialCall:
    index: int | None
    id: str
    name: str = ""
    arguments: str = ""


class CallAssembler:
    """The calls of one answer."""

    def __init__(self) -> None:
        self._parts: list[_PartialCall] = []

    def add(self, delta: CallDelta) -> None:
        part = self._part_of(delta)
        part.id = part.id or delta.id
        part.name = part.name or delta.name  # some servers repeat it in every piece
        part.arguments += delta.arguments

    def whole(self) -> tuple[ToolCall, ...]:
        """The calls in order. Each has an id, and no two have the same."""
        ids: set[str] = set()
        calls = []
        for at, part in enumerate(self._parts):
            id = part.id if part.id and part.id not in ids else f"call_{at}"
            ids.add(id)
            calls.append(ToolCall(id, part.name, part.arguments))
        return tuple(calls)

    def _part_of(self, delta: CallDelta) -> _PartialCall:
        """The call that the piece belongs to: a new one for a new index, or for another id."""
        same_index = [part for part in self._parts if part.index == delta.index]
        known = same_index[-1] if same_index else None
        if known is not None and not (delta.id and known.id and delta.id != known.id):
            return known
        self._parts.append(_PartialCall(delta.index, delta.id))
        return self._parts[-1]
