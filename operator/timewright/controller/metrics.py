"""What the operator tells Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from timewright.resources.vocabulary import Reason

runs = Counter("timewright_runs", "Runs recorded.", ["outcome", "reason", "trigger"])
start_delay = Histogram(
    "timewright_run_start_delay_seconds",
    "Seconds from a run's nominal time to the start of its Job.",
    buckets=(0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 900, 3600),
)
reconcile_seconds = Histogram(
    "timewright_reconcile_seconds",
    "Seconds spent on bringing one task to its desired state.",
    buckets=(0.001, 0.005, 0.02, 0.05, 0.1, 0.5, 1, 5, 30),
)
reconcile_errors = Counter("timewright_reconcile_errors", "Reconciliations that failed and will be repeated.")
api_requests = Counter("timewright_api_requests", "Requests to the Kubernetes API.", ["method", "resource"])
queue_depth = Gauge("timewright_queue_depth", "Tasks that wait to be reconciled.")
leader = Gauge("timewright_leader", "1 while this replica holds the Lease.")

_REASONS = frozenset(reason.value for reason in Reason)


def known_reason(reason: str) -> str:
    """Return the reason if it is one of ours, else "Other": Pods can report any, and label values must be few."""
    return reason if reason in _REASONS else "Other"


LastSuccess = tuple[str, str, float]
"""Namespace, task, and Unix time of its last success."""


class TaskCollector(Collector):
    """Tells of every task, from what the operator knows at the moment of the scrape."""

    def __init__(self, last_successes: Callable[[], Iterable[LastSuccess]]) -> None:
        self._last_successes = last_successes

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metrics."""
        family = GaugeMetricFamily(
            "timewright_task_last_success_timestamp_seconds",
            "Unix time at which a run of the task last succeeded.",
            labels=["namespace", "task"],
        )
        for namespace, task, timestamp in self._last_successes():
            family.add_metric([namespace, task], timestamp)
        yield family


def register_tasks(last_successes: Callable[[], Iterable[LastSuccess]]) -> None:
    """Add the metrics of every task to the default registry."""
    REGISTRY.register(TaskCollector(last_successes))
