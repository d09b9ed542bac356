"""Print the figures of docs/scaling.md; some minutes."""

import sys
from collections.abc import Iterator
from statistics import median

from tests.simulation.replica import TOKENS_PER_SECOND
from tests.simulation.world import ANSWER_MEAN, Outcome, all_waiting, open_load

FLOOD = {"flood": 400} | {f"server {at}": 10 for at in range(60)}
"""A thousand users: one server with 400, and sixty with ten each."""
LONELY = {"flood": 940} | {f"server {at}": 1 for at in range(60)}
"""A thousand users: one server with 940, and sixty with one each."""


def routing() -> Iterator[str]:
    yield "| four replicas with | load | spill | later turns that found their prefix | mean | p95 |"
    yield "|---|---|---|---|---|---|"
    for slots, load, seconds in ((1, 0.4, 220), (16, 0.7, 50)):
        rate = 4 * load * TOKENS_PER_SECOND[slots] / ANSWER_MEAN
        for spill in (None, 0, max(slots - 1, 1), 10**6):
            outcome = open_load(
                replicas=4, slots=slots, spill=spill, questions_a_second=rate, seconds=seconds
            )
            name = {None: "by load only", 10**6: "never"}.get(spill, str(spill))
            hits = f"{outcome.hit_share:.0%}"
            yield f"| {slots} slots | {load:.0%} | {name} | {hits} | {_times(outcome)}"


def fairness() -> Iterator[str]:
    yield "| 1,000 users who always wait | replicas | the flood | others: fewest | median | most |"
    yield "|---|---|---|---|---|---|"
    for name, servers in (("10 each", FLOOD), ("1 each", LONELY)):
        for replicas, slots, seconds in ((1, 16, 200), (4, 4, 200)):
            tokens = all_waiting(
                replicas=replicas,
                slots=slots,
                spill=max(slots - 1, 1),
                servers=servers,
                seconds=seconds,
            ).tokens
            fair = tokens.total() / len(servers)
            shares = {server: tokens[server] / fair for server in servers}
            flood = shares.pop("flood")
            few, most = min(shares.values()), max(shares.values())
            middle = median(shares.values())
            yield f"| {name} | {replicas} | {flood:.2f} | {few:.2f} | {middle:.2f} | {most:.2f} |"


def sizes() -> Iterator[str]:
    yield "| questions a second | replicas | slots | mean | p95 |"
    yield "|---|---|---|---|---|"
    for rate, replicas, slots, seconds in (
        (0.011, 1, 1, 40_000),
        (1.11, 1, 1, 600),
        (1.11, 1, 8, 600),
        (111, 8, 32, 35),
        (111, 10, 32, 35),
    ):
        outcome = open_load(
            replicas=replicas,
            slots=slots,
            spill=max(slots - 1, 1),
            questions_a_second=rate,
            seconds=seconds,
        )
        yield f"| {rate} | {replicas} | {slots} | {_times(outcome)}"


def _times(outcome: Outcome) -> str:
    return f"{outcome.mean:.3f} s | {outcome.p95:.3f} s |"


TABLES = {"routing": routing, "fairness": fairness, "sizes": sizes}

for name in sys.argv[1:] or TABLES:
    for line in TABLES[name]():
        print(line, flush=True)  # noqa: T201
