"""Grafana's dashboard in deploy/ asks for nothing that the bot and its service don't measure."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from bot.conversation import metrics as bots
from bot.inference.server.metrics import Metrics

DASHBOARD = Path(__file__).parents[1] / "deploy" / "grafana" / "gptoss-bot.json"
SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}


def measured(registry: CollectorRegistry) -> dict[str, set[str]]:
    """The labels of each metric that Prometheus can ask for."""
    found: dict[str, set[str]] = {}
    for collector in registry._collector_to_names:
        if not isinstance(collector, MetricWrapperBase):
            continue
        labels = set(collector._labelnames)
        for family in collector.describe():
            for suffix in SUFFIXES.get(family.type, []):
                extra = {"le"} if suffix == "_bucket" else set()
                found[family.name + suffix] = labels | extra
    return found


@pytest.fixture
def panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return panels


def test_every_metric_that_it_queries_is_measured_with_the_labels(
    panels: list[dict[str, Any]],
) -> None:
    assert bots.ANSWERS
    known = measured(REGISTRY) | measured(Metrics("model")._registry)
    asked = set()
    for panel in panels:
        for target in panel["targets"]:
            names = re.findall(r"(?:vllm:|bot_)\w+", target["expr"])
            assert names, panel["title"]
            assert set(names) <= known.keys(), panel["title"]
            labels = re.findall(r"by \(([^)]*)\)", target["expr"]) + re.findall(
                r"{(\w+)=", target["expr"]
            )
            for label in ", ".join(labels).split(", "):
                assert not label or any(label in known[name] for name in names), panel["title"]
            asked |= set(names)
    ours = {name.removesuffix("_sum").removesuffix("_count") for name in known}
    shown = {name.removesuffix("_bucket") for name in asked}
    left = {
        n for n in ours if n.startswith(("vllm:", "bot_")) and not n.endswith("_bucket")
    } - shown
    assert left == set()


def test_its_panels_lie_beside_each_other(panels: list[dict[str, Any]]) -> None:
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        mine = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not mine & cells, panel["title"]
        cells |= mine
    assert len({panel["id"] for panel in panels}) == len(panels)
