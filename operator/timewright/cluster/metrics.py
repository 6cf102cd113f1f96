"""What operator and daemon both tell Prometheus: the same names and labels where they mean the same."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client import REGISTRY, Counter, Gauge
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from timewright.resources.vocabulary import Reason

runs = Counter("timewright_runs", "Runs and ticks that have their outcome.", ["outcome", "reason", "trigger"])
api_requests = Counter("timewright_api_requests", "Requests to the Kubernetes API.", ["method", "resource"])
leader = Gauge("timewright_leader", "1 while this replica holds the Lease.", ["lease"])
notices = Counter("timewright_notices", "Notices by what became of them.", ["channel", "result"])

_REASONS = frozenset(reason.value for reason in Reason)


def known_reason(reason: str) -> str:
    """Return the reason if it is one of ours, else "Other": Pods can report any, and label values must be few."""
    return reason if reason in _REASONS else "Other"


class Delays(Collector):
    """A histogram of seconds whose observations cost a fraction of a microsecond; not for several threads at once."""

    def __init__(self, name: str, text: str, buckets: Sequence[float]) -> None:
        """Begin empty. `buckets` are upper bounds, ascending."""
        self._name, self._text, self._bounds = name, text, tuple(buckets)
        self._counts = [0] * (len(buckets) + 1)
        self._sum = 0.0

    def observe(self, delays: Sequence[float]) -> None:
        """Count observations, in seconds; what is below nothing counts as nothing."""
        bounds, counts = self._bounds, self._counts
        for seconds in delays:
            counts[bisect_left(bounds, seconds)] += 1
        self._sum += sum(seconds for seconds in delays if seconds > 0)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the histogram."""
        names = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        counts = list(zip(names, accumulate(self._counts), strict=True))
        yield HistogramMetricFamily(self._name, self._text, buckets=counts, sum_value=self._sum)


start_delay = Delays(
    "timewright_run_start_delay_seconds",
    "Seconds from a run's nominal time to its start.",
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 900, 3600),
)
REGISTRY.register(start_delay)


@dataclass(frozen=True, slots=True)
class TaskFigures:
    """What is told of one task. Instants are Unix times."""

    namespace: str
    task: str
    last_success: float | None
    success_deadline: float | None = None
    """By when a run has succeeded if all is well; None for a task that is suspended, or not decided here."""
    failing_streak: int | None = None


class TaskCollector(Collector):
    """Tells of every task, from what is known at the moment of the scrape, as long as there are not too many."""

    def __init__(self, count: Callable[[], int], figures: Callable[[], Iterable[TaskFigures]], limit: int) -> None:
        """Ask for the number of tasks, and, while it is no more than `limit`, for the figures of each."""
        self._count, self._figures, self._limit = count, figures, limit

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metrics."""
        count = self._count()
        yield GaugeMetricFamily("timewright_tasks", "Tasks that are known here.", value=count)
        labels = ["namespace", "task"]
        success = GaugeMetricFamily(
            "timewright_task_last_success_timestamp_seconds",
            "Unix time at which a run of the task last succeeded.",
            labels=labels,
        )
        deadline = GaugeMetricFamily(
            "timewright_task_next_success_deadline_timestamp_seconds",
            "Unix time by which a run of the task has succeeded again if all is well, by its schedule.",
            labels=labels,
        )
        streak = GaugeMetricFamily(
            "timewright_task_failing_streak", "Runs of the task that failed since one last succeeded.", labels=labels
        )
        omitted = count > self._limit
        for each in () if omitted else self._figures():
            names = [each.namespace, each.task]
            if each.last_success is not None:
                success.add_metric(names, each.last_success)
            if each.success_deadline is not None:
                deadline.add_metric(names, each.success_deadline)
            if each.failing_streak is not None:
                streak.add_metric(names, each.failing_streak)
        yield GaugeMetricFamily(
            "timewright_task_metrics_omitted",
            "1 while there are too many tasks to tell of each.",
            value=int(omitted),
        )
        yield from (success, deadline, streak)
