"""What the operator tells Prometheus of each task and each TaskDaemon."""

from __future__ import annotations

from collections.abc import Iterator

from timewright.cluster.metrics import TaskFigures
from timewright.controller.context import Expected, Operator, Sync
from timewright.controller.metrics import DaemonFigures
from timewright.decisions.acceptance import Accepted
from timewright.decisions.notices import failing_streak
from timewright.decisions.success_deadline import success_deadline
from timewright.resources.model import parse_time


def note_expected(sync: Sync) -> None:
    """Work out what is expected of a task whose ticks its CronJob decides. A spec that is refused expects nothing."""
    deadline = None
    if isinstance(sync.verdict, Accepted):
        success = sync.status.last_success_time
        since = max(sync.task.edited_at, 0 if success is None else int(success.timestamp()))
        deadline = success_deadline(sync.verdict.spec, sync.verdict.schedule.ticks, since)
    runs = [run for run in sync.operator.store.runs.of(sync.key) if run.outcome is not None]
    runs.sort(key=lambda run: (run.completion_time or run.created_at, run.name))
    streak = failing_streak(run.outcome for run in runs if run.outcome is not None)
    sync.operator.expected[sync.task.uid] = Expected(deadline, streak)


def task_figures(operator: Operator) -> Iterator[TaskFigures]:
    """Yield what is known of every task; of one that a daemon decides, no more than its last success."""
    for key, task in list(operator.store.tasks.items()):
        success = parse_time(task.last_success).timestamp() if task.last_success else None
        expected = operator.expected.get(task.uid)
        if expected is None:
            yield TaskFigures(key.namespace, task.name, success)
        else:
            yield TaskFigures(key.namespace, task.name, success, *expected)


def daemon_figures(operator: Operator) -> Iterator[DaemonFigures]:
    """Yield whether each TaskDaemon is ready. One that is to have no Pods is left out."""
    for key, record in list(operator.store.daemons.records.items()):
        spec, status = record.parts()
        if spec.get("replicas") != 0 and not record.deleting:
            yield key.namespace, key.name, (status.get("readyReplicas") or 0) > 0
