from collections import Counter, defaultdict
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.inference.scheduler.fair_queue import FairQueue


@dataclass(eq=False)
class Request:
    flow: tuple[str, str]
    tokens: int = 1


def serve_all(queue: FairQueue[Request]) -> list[Request]:
    """Pop and charge until nothing waits, as an engine with one slot does."""
    served = []
    while queue:
        request = queue.pop()
        queue.charge(request.flow, request.tokens)
        served.append(request)
    return served


def test_requests_of_one_user_are_served_in_the_order_they_came() -> None:
    queue: FairQueue[Request] = FairQueue()
    requests = [Request(("server", "user"), tokens) for tokens in (5, 1, 3)]
    for request in requests:
        queue.push(request)
    assert serve_all(queue) == requests


def test_one_long_generation_is_the_most_that_fifty_of_another_user_delay_a_short_one() -> None:
    queue: FairQueue[Request] = FairQueue()
    for _ in range(50):
        queue.push(Request(("server", "busy"), 1000))
    running = queue.pop()
    short = Request(("server", "other"), 10)
    queue.push(short)
    queue.charge(running.flow, running.tokens)
    assert queue.pop() is short


def test_a_server_with_many_users_gets_no_more_than_one_with_a_single_user() -> None:
    queue: FairQueue[Request] = FairQueue()
    for number in range(30):
        queue.push(Request(("large", f"user {number}"), 100))
        queue.push(Request(("small", "only user"), 100))
    first = Counter(request.flow[0] for request in serve_all(queue)[:20])
    assert first == {"large": 10, "small": 10}


def test_a_server_of_weight_two_gets_twice_the_tokens_and_its_users_share_them_evenly() -> None:
    weights = {"heavy": 2, "light": 1}
    queue: FairQueue[Request] = FairQueue()
    for _ in range(40):
        for flow in (("heavy", "a"), ("heavy", "b"), ("light", "c")):
            queue.push(Request(flow, 100))
    first: Counter[tuple[str, str]] = Counter()
    for _ in range(30):
        request = queue.pop()
        queue.charge(request.flow, request.tokens, weights[request.flow[0]])
        first[request.flow] += 1
    assert first == {("heavy", "a"): 10, ("heavy", "b"): 10, ("light", "c"): 10}


def test_short_requests_come_more_often_because_tokens_are_shared_and_not_turns() -> None:
    queue: FairQueue[Request] = FairQueue()
    for _ in range(100):
        queue.push(Request(("server", "long"), 300))
        queue.push(Request(("server", "short"), 100))
    first = Counter(request.flow[1] for request in serve_all(queue)[:40])
    assert first == {"long": 10, "short": 30}


def test_tokens_are_remembered_between_requests_that_are_sent_one_at_a_time() -> None:
    queue: FairQueue[Request] = FairQueue()
    requests = {name: Request(("server", name), size) for name, size in [("a", 300), ("b", 100)]}
    for request in requests.values():
        queue.push(request)
    served: Counter[str] = Counter()
    for _ in range(40):
        request = queue.pop()
        queue.charge(request.flow, request.tokens)
        queue.push(request)
        served[request.flow[1]] += 1
    assert served == {"a": 10, "b": 30}


def test_an_idle_time_earns_no_credit() -> None:
    queue: FairQueue[Request] = FairQueue()
    for _ in range(20):
        queue.push(Request(("server", "steady"), 100))
    for _ in range(10):
        queue.charge(queue.pop().flow, 100)
    for _ in range(10):
        queue.push(Request(("server", "late"), 100))
    users = [request.flow[1] for request in serve_all(queue)]
    assert Counter(users[:10]) == {"steady": 5, "late": 5}


def test_among_equals_the_one_who_waits_longest_is_next() -> None:
    queue: FairQueue[Request] = FairQueue()
    requests = [Request(("server", name)) for name in "cab"]
    for request in requests:
        queue.push(request)
    assert [queue.pop() for _ in requests] == requests


def test_a_request_that_is_removed_is_never_served() -> None:
    queue: FairQueue[Request] = FairQueue()
    keep, gone = Request(("server", "user")), Request(("server", "user"))
    queue.push(keep)
    queue.push(gone)
    queue.remove(gone)
    assert len(queue) == 1
    assert serve_all(queue) == [keep]


def test_those_who_wait_beside_one_that_is_removed_are_served() -> None:
    queue: FairQueue[Request] = FairQueue()
    requests = [Request(("server", "user")) for _ in range(4)]
    for request in requests:
        queue.push(request)
    queue.remove(requests[1])
    assert len(queue) == 3
    assert serve_all(queue) == [requests[0], *requests[2:]]


def test_nothing_can_be_taken_from_an_empty_queue() -> None:
    queue: FairQueue[Request] = FairQueue()
    with pytest.raises(IndexError):
        queue.pop()


def test_a_copy_plays_the_future_without_changing_it() -> None:
    queue: FairQueue[Request] = FairQueue()
    for number in range(9):
        queue.push(Request((f"server {number % 2}", f"user {number % 3}"), number))
    assert serve_all(queue.copy()) == serve_all(queue)


def test_flows_that_went_away_are_forgotten() -> None:
    queue: FairQueue[Request] = FairQueue()
    for number in range(1000):
        queue.push(Request(("server", "steady"), 10))
        queue.push(Request((f"server {number}", "passing by"), 10))
        for _ in range(2):
            queue.charge(queue.pop().flow, 10)
    assert len(queue._children) < 10


FLOWS = st.tuples(st.sampled_from("ABC"), st.sampled_from("xyz"))
ARRIVALS = st.lists(st.tuples(FLOWS, st.integers(1, 100), st.booleans()), max_size=80)


@given(ARRIVALS)
def test_whatever_comes_every_request_is_served_once(
    arrivals: list[tuple[tuple[str, str], int, bool]],
) -> None:
    queue: FairQueue[Request] = FairQueue()
    pushed, served = [], []
    for flow, tokens, serve in arrivals:
        pushed.append(Request(flow, tokens))
        queue.push(pushed[-1])
        if serve:
            served.append(queue.pop())
            queue.charge(served[-1].flow, served[-1].tokens)
    served += serve_all(queue)
    assert set(served) == set(pushed)
    assert len(served) == len(pushed)


@given(ARRIVALS, st.fixed_dictionaries({name: st.sampled_from([0.5, 1, 4]) for name in "ABC"}))
def test_of_two_who_keep_waiting_neither_gets_two_requests_more_than_its_share(
    arrivals: list[tuple[tuple[str, str], int, bool]], weights: dict[str, float]
) -> None:
    """The bound of Sheng et al., theorem 4.4: 2 max(cost), between servers and between users.

    The cost to a server is tokens divided by its weight.
    """
    largest = max((tokens for _, tokens, _ in arrivals), default=0)
    queue: FairQueue[Request] = FairQueue()
    waiting: Counter[tuple[str, ...]] = Counter()
    served: dict[tuple[str, ...], float] = defaultdict(float)
    since: dict[frozenset[tuple[str, ...]], tuple[float, float]] = {}

    def check() -> None:
        """Compare what each pair of siblings got since both began to wait."""
        names = [*{flow[:1] for flow in waiting}, *waiting]
        for a in names:
            for b in names:
                if not (len(a) == len(b) and a < b and a[:-1] == b[:-1]):
                    continue
                pair = frozenset((a, b))
                if count(a) and count(b):
                    start = since.setdefault(pair, (served[a], served[b]))
                    gap = (served[a] - start[0]) - (served[b] - start[1])
                    lightest = min(weights[a[0]], weights[b[0]]) if len(a) == 1 else 1
                    assert abs(gap) <= 2 * largest / lightest
                else:
                    since.pop(pair, None)

    def count(name: tuple[str, ...]) -> int:
        return sum(n for flow, n in waiting.items() if flow[: len(name)] == name)

    for flow, tokens, serve in [*arrivals, *[(("", ""), 0, True)] * len(arrivals)]:
        if tokens:
            queue.push(Request(flow, tokens))
            waiting[flow] += 1
            check()
        if serve and queue:
            request = queue.pop()
            waiting[request.flow] -= 1
            weight = weights.get(request.flow[0], 1)
            queue.charge(request.flow, request.tokens, weight)
            served[request.flow[:1]] += request.tokens / weight
            served[request.flow] += request.tokens
            check()
