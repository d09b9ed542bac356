"""Ray's choice of a replica for a request: the one that its conversation belongs to.

https://docs.ray.io/en/latest/serve/advanced-guides/custom-request-router.html
"""

from collections import Counter

from ray.serve.request_router import PendingRequest, ReplicaID, RequestRouter, RunningReplica

from bot.inference.ray.affinity import by_preference
from bot.inference.ray.call import BufferedRequest


class ConversationRouter(RequestRouter):  # type: ignore[misc]
    """See affinity.by_preference; `spill` is its."""

    def initialize_state(self, spill: int) -> None:
        self._spill = spill
        self._sent: Counter[ReplicaID] = Counter()
        """Requests that this front has at each replica; there may be more fronts."""

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        """The candidates in order, one a rank: Ray takes the first that has room."""
        if pending_request is None:
            return [candidate_replicas]
        pending_request.routing_context.should_backoff = True  # when none of them has room
        call = pending_request.args[0] if pending_request.args else None
        key, avoid = (
            (call.key, call.avoid) if isinstance(call, BufferedRequest) else ("", frozenset())
        )
        replicas = {replica.replica_id.unique_id: replica for replica in candidate_replicas}
        ongoing = {name: self._ongoing(replica.replica_id) for name, replica in replicas.items()}
        order = by_preference(key, ongoing, self._spill)
        return [[replicas[name]] for name in sorted(order, key=lambda name: name in avoid)]

    def on_send_request(self, replica_id: ReplicaID) -> None:
        """See RequestRouter."""
        super().on_send_request(replica_id)
        self._sent[replica_id] += 1

    def on_request_completed(self, replica_id: ReplicaID, internal_request_id: str) -> None:
        """See RequestRouter: also of requests that failed, were refused or cancelled."""
        self._sent[replica_id] -= 1
        if self._sent[replica_id] <= 0:
            del self._sent[replica_id]

    def _ongoing(self, replica_id: ReplicaID) -> int:
        """At least this front's; a replica tells of all when it takes a request."""
        return max(self._sent[replica_id], self.replica_queue_len_cache.get(replica_id) or 0)
