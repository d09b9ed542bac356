"""What a token adds to an answer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CallDelta:
    """A piece of the tool call `index`: its name with the first piece, then its arguments."""

    index: int
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True)
class Delta:
    """Text to append to the reasoning and to the answer, and pieces of tool calls."""

    reasoning: str = ""
    content: str = ""
    calls: tuple[CallDelta, ...] = ()

    def __add__(self, later: "Delta") -> "Delta":
        return Delta(
            self.reasoning + later.reasoning,
            self.content + later.content,
            _joined(self.calls + later.calls),
        )

    def __bool__(self) -> bool:
        return bool(self.reasoning or self.content or self.calls)


def _joined(calls: tuple[CallDelta, ...]) -> tuple[CallDelta, ...]:
    """One piece for each call, which come in order."""
    joined: list[CallDelta] = []
    for call in calls:
        if joined and joined[-1].index == call.index:
            last = joined.pop()
            call = CallDelta(call.index, last.name + call.name, last.arguments + call.arguments)
        joined.append(call)
    return tuple(joined)
