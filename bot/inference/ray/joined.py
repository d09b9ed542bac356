"""What several replicas tell of themselves, as one."""

from collections.abc import Iterable, Sequence
from statistics import mean

from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector, CollectorRegistry

from bot.inference.server.api import Health


def joined_health(replicas: Sequence[Health]) -> Health:
    """Ready where one of them is; their requests together, and the mean speed of one answer."""
    if not replicas:
        return Health(
            status="loading",
            progress=None,
            detail="no replica is ready",
            running=0,
            waiting=0,
            tokens_per_second=None,
        )
    best = next((health for health in replicas if health.status == "ready"), replicas[0])
    speeds = [health.tokens_per_second for health in replicas if health.tokens_per_second]
    return best.model_copy(
        update={
            "running": sum(health.running for health in replicas),
            "waiting": sum(health.waiting for health in replicas),
            "tokens_per_second": mean(speeds) if speeds else None,
        }
    )


def joined_metrics(replicas: Iterable[tuple[str, str]]) -> bytes:
    """Each replica's metrics, by its name, with the label `replica`."""
    registry = CollectorRegistry()
    registry.register(_Joined(replicas))
    return generate_latest(registry)


class _Joined(Collector):
    def __init__(self, replicas: Iterable[tuple[str, str]]) -> None:
        self._families: dict[str, Metric] = {}
        for replica, text in replicas:
            for family in text_string_to_metric_families(text):
                known = self._families.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                for sample in family.samples:
                    labels = sample.labels | {"replica": replica}
                    known.samples.append(sample._replace(labels=labels))

    def collect(self) -> Iterable[Metric]:
        return self._families.values()
