"""What the daemon tells Prometheus, besides what is counted as it happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from timewright.cluster.metrics import Delays, TaskFigures
from timewright.cluster.observe import edited_at
from timewright.daemon.known import Known
from timewright.daemon.leader import Leader
from timewright.daemon.outcomes import Outcomes
from timewright.decisions.lagging import Lag, Load, lag_of
from timewright.decisions.success_deadline import success_deadline
from timewright.decisions.task_state import OpenPhase
from timewright.storage.kubernetes.lease import Lease

lock_wait = Delays(
    "timewright_lock_wait_seconds",
    "Seconds that runs of tasks with locks have waited for these.",
    (0.01, 0.1, 1, 5, 15, 60, 300, 900, 3600),
)
REGISTRY.register(lock_wait)


class Figures(Collector):
    """The figures of one replica; of one that stands by there are few."""

    def __init__(self, known: Known) -> None:
        """Begin with nobody who leads."""
        self.leader: Leader | None = None
        self.lease: Lease | None = None
        """The Lease, while this replica leads."""
        self.outcomes: Outcomes | None = None
        self.waiting_notices: Callable[[], int] = lambda: 0
        """Asked for how many notices wait to be delivered."""
        self.held_by: Callable[[], str] = lambda: ""
        """Asked for which task has held up the event loop in the last minute."""
        self._known = known
        self._edited_at: dict[str, int] = {}
        self._deadlines: dict[str, tuple[tuple[int, int], int | None]] = {}
        """By task: what its deadline was worked out from, and the deadline."""

    def see_task(self, body: dict[str, Any]) -> None:
        """Take note of when a ScheduledTask was edited."""
        self._edited_at[body["metadata"]["uid"]] = edited_at(body["metadata"])

    def forget_task(self, uid: str) -> None:
        """Forget a ScheduledTask."""
        self._edited_at.pop(uid, None)
        self._deadlines.pop(uid, None)
        if self.outcomes is not None:
            self.outcomes.forget(uid)

    def load(self) -> Load:
        """Return what was seen in the last minute."""
        if self.leader is None or self.outcomes is None:
            return Load(0, 0, 0, 0.0)
        waiting, places = self.leader.writer.waiting, self.leader.job_places
        starts = self.outcomes.starts()
        backlog = len(waiting), waiting.oldest_seconds()
        return Load(*starts, *backlog, places.waiting, places.waiting_seconds, self.held_by())

    def lag(self) -> Lag:
        """Return whether it keeps up."""
        return lag_of(self.load())

    def task_count(self) -> int:
        """Return how many tasks it decides."""
        return 0 if self.leader is None else len(self.leader.tasks)

    def tasks(self) -> Iterator[TaskFigures]:
        """Yield the figures of every task that it decides."""
        leader, outcomes = self.leader, self.outcomes
        if leader is None or outcomes is None:
            return
        for uid in list(leader.tasks):
            book, task = leader.store.book(uid), self._known.tasks.get(uid)
            if book is not None and task is not None:
                success = book.last_success_at
                deadline = self._deadline(uid, success or 0)
                yield TaskFigures(self._known.namespace, task.name, success, deadline, outcomes.streak(uid))

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the figures of the process."""
        leader, load = self.leader, self.load()
        active = list(leader.executor.active.values()) if leader is not None and leader.executor is not None else []
        books = list(leader.store.books.values()) if leader is not None else []
        queued = sum(run.phase is OpenPhase.QUEUED for book in books for run in book.state.open_runs)
        figures: dict[str, tuple[str, float]] = {
            "lease_renewal_age_seconds": (
                "Seconds since the Lease was renewed.",
                0.0 if self.lease is None else self.lease.seconds_since_renewal,
            ),
            "runs_active": ("Runs that have started and not ended.", sum(not running.waits for running in active)),
            "runs_queued": ("Runs that wait for others to end.", queued),
            "jobs_active": ("Jobs that have not ended.", 0 if leader is None else leader.job_places.taken),
            "jobs_waiting": ("Runs that wait for a Job of another to end: maxConcurrentJobs.", load.jobs_waiting),
            "write_backlog": ("Tasks of which there is something to write.", load.waiting),
            "write_backlog_age_seconds": ("Seconds for which the first of these has waited.", load.waiting_seconds),
            "lagging": (
                "1 while it starts runs late, or cannot write as much as there is to tell.",
                int(lag_of(load).lags),
            ),
            "history_waiting": (
                "Runs that are yet to be written into the database of the full history.",
                0 if leader is None or leader.history is None else leader.history.waiting,
            ),
            "notices_waiting": ("Notices that have not been delivered.", self.waiting_notices()),
        }
        for name, (text, value) in figures.items():
            yield GaugeMetricFamily(f"timewright_{name}", text, value=value)
        by_lock = GaugeMetricFamily("timewright_runs_waiting_for_lock", "Runs that wait for a lock.", labels=["lock"])
        waiting = leader.locking.waiting() if leader is not None and leader.locking is not None else {}
        for lock, count in sorted(waiting.items()):
            by_lock.add_metric([lock], count)
        yield by_lock

    def _deadline(self, uid: str, last_success: int) -> int | None:
        task = self._known.tasks.get(uid)
        if task is None or task.task is None:
            return None
        since = max(last_success, self._edited_at.get(uid, task.created_at))
        known = self._deadlines.get(uid)
        if known is None or known[0] != (task.generation, since):
            deadline = success_deadline(task.read.spec, task.task.ticks, since)
            known = self._deadlines[uid] = (task.generation, since), deadline
        return known[1]
