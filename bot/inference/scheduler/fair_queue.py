"""Who is served next: a queue that shares tokens, not turns, between its flows.

Virtual token counters ("Fairness in Serving Large Language Models", Sheng et al., OSDI 2024,
https://arxiv.org/abs/2401.00588), kept per level of a tree as in hierarchical fair queuing
(Bennett and Zhang, SIGCOMM 1996): first between servers, then between the users of one server,
then first come, first served.
"""

from collections import deque
from typing import Generic, Protocol, Self, TypeVar


class HasFlow(Protocol):
    """Something that waits; `flow` is its path in the tree, such as (server, user)."""

    @property
    def flow(self) -> tuple[str, ...]: ...


T = TypeVar("T", bound=HasFlow)


class FairQueue(Generic[T]):
    """A node of the tree: its own waiting items at a leaf, a fair choice of children above.

    Every child counts the tokens it was served. The one with the fewest is next; one that starts to
    wait is lifted to the count at which the last choice was made, so that an idle time earns no
    credit. Each choice raises the chosen count, so nobody waits for ever.
    """

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._children: dict[str, FairQueue[T]] = {}
        self._waiting = 0
        """Items here and below."""
        self._served = 0.0
        self._virtual_time = 0.0
        """Count of the child chosen last; no waiting child has less."""

    def __len__(self) -> int:
        return self._waiting

    def push(self, item: T) -> None:
        """Let `item` wait behind the others of its flow."""
        path = [self]
        for name in item.flow:
            path.append(path[-1]._child(name))
        for node in path:  # after the last is found, which is brought up to date if it is empty
            node._waiting += 1
        path[-1]._items.append(item)

    def pop(self) -> T:
        """Take the item that is next; raises IndexError when nothing waits."""
        waiting = [child for child in self._children.values() if len(child)]
        if not waiting:
            item = self._items.popleft()
            self._waiting -= 1
            return item
        self._waiting -= 1
        child = min(waiting, key=lambda child: child._served)
        self._virtual_time = child._served
        for name, other in list(self._children.items()):
            # What a newcomer is given anyway need not be remembered.
            if other is not child and not len(other) and other._served <= child._served:
                del self._children[name]
        return child.pop()

    def remove(self, item: T) -> None:
        """Take out `item`, which waits here."""
        path = [self]
        for name in item.flow:
            path.append(path[-1]._children[name])
        path[-1]._items.remove(item)
        for node in path:
            node._waiting -= 1

    def charge(self, flow: tuple[str, ...], tokens: float, weight: float = 1.0) -> None:
        """Count `tokens` as served to `flow`, at every level.

        At the first level they count the less the more `weight` there is: a server of weight 2 gets
        twice the tokens of one of weight 1 while both wait (Sheng et al., section 4.3).
        """
        node, cost = self, tokens / weight
        for name in flow:
            node = node._child(name)
            node._served += cost
            cost = tokens

    def copy(self) -> Self:
        """The same queue, to play its future through; the items are shared."""
        twin = type(self)()
        twin._items = self._items.copy()
        twin._children = {name: child.copy() for name, child in self._children.items()}
        twin._waiting = self._waiting
        twin._served, twin._virtual_time = self._served, self._virtual_time
        return twin

    def _child(self, name: str) -> "FairQueue[T]":
        """The child called `name`, made or brought up to date when it is not waiting."""
        child = self._children.get(name)
        if child is None:
            child = FairQueue()
        if not len(child):
            child._served = max(child._served, self._virtual_time)
            self._children.pop(name, None)
            self._children[name] = child  # at the end: among equals, the longest waiting is first
        return child
