import pytest

from tests.simulation.world import all_waiting, open_load

pytestmark = pytest.mark.slow  # a virtual minute of a replica is a second of a processor's

SERVERS = {"flood": 60, "home": 20, "club": 20}


@pytest.mark.parametrize(("replicas", "slots"), [(1, 4), (2, 2)])
def test_servers_that_wait_at_every_replica_get_the_same(replicas: int, slots: int) -> None:
    outcome = all_waiting(
        replicas=replicas, slots=slots, spill=slots - 1, servers=SERVERS, seconds=40
    )
    fair = outcome.tokens.total() / len(SERVERS)
    for server in SERVERS:
        assert 0.8 * fair < outcome.tokens[server] < 1.2 * fair, server


def test_a_server_that_waits_everywhere_gets_at_most_a_share_at_each_replica() -> None:
    servers = {"flood": 60, "ann": 1, "ben": 1, "cleo": 1}
    tokens = all_waiting(replicas=2, slots=1, spill=0, servers=servers, seconds=40).tokens
    rest = sum(tokens[server] for server in servers if server != "flood") / 3
    assert rest < tokens["flood"] < 2 * 1.3 * rest


def test_conversations_that_keep_their_replica_find_what_is_cached() -> None:
    options = {"replicas": 4, "slots": 16, "questions_a_second": 4.0, "seconds": 30}
    kept, scattered = open_load(spill=15, **options), open_load(spill=None, **options)
    assert kept.hit_share == 1.0
    assert scattered.hit_share < 0.9
