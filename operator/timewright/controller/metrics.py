"""What the operator tells Prometheus beyond what `cluster.metrics` has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

reconcile_seconds = Histogram(
    "timewright_reconcile_seconds",
    "Seconds spent on bringing one task to its desired state.",
    buckets=(0.001, 0.005, 0.02, 0.05, 0.1, 0.5, 1, 5, 30),
)
reconcile_errors = Counter("timewright_reconcile_errors", "Reconciliations that failed and will be repeated.")
queue_depth = Gauge("timewright_queue_depth", "Tasks that wait to be reconciled.")

DaemonFigures = tuple[str, str, bool]
"""Namespace and name of a TaskDaemon, and whether it is ready."""


class DaemonCollector(Collector):
    """Tells of every TaskDaemon. Not the daemon itself does: one that does not run tells nothing."""

    def __init__(self, figures: Callable[[], Iterable[DaemonFigures]]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metric."""
        family = GaugeMetricFamily(
            "timewright_daemon_ready", "1 while the TaskDaemon has a Pod that is ready.", labels=["namespace", "daemon"]
        )
        for namespace, daemon, is_ready in self._figures():
            family.add_metric([namespace, daemon], int(is_ready))
        yield family
