"""The names of all metrics that operator and daemon export, as Prometheus sees them."""

from __future__ import annotations

from prometheus_client import REGISTRY

from timewright.cluster.metrics import TaskCollector
from timewright.controller import metrics
from timewright.daemon import outcomes
from timewright.daemon.figures import Figures
from timewright.daemon.known import Known
from timewright.desired.runner_image import RunnerImage


def exported_metrics() -> set[str]:
    """Return them, without the suffixes of histograms."""
    assert metrics.queue_depth
    assert outcomes.ticks_missed
    collectors = (
        TaskCollector(lambda: 0, list, 1),
        metrics.DaemonCollector(list),
        Figures(Known("shop", "default", RunnerImage("timewright:1"))),
    )
    families = [family for family in REGISTRY.collect() if family.name.startswith("timewright_")]
    for collector in collectors:
        families += collector.collect()
    return {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
