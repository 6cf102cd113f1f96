"""May a TaskRun made by hand start now?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from timewright.decisions.observed import ObservedJob, ObservedRun
from timewright.decisions.parameters import resolve_parameters
from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.resources.vocabulary import ConcurrencyPolicy, Outcome, Reason, Trigger


@dataclass(frozen=True, slots=True)
class Start:
    """Start it, with all parameters of the run, after cancelling these Jobs."""

    parameters: Mapping[str, Any]
    cancel: tuple[ObservedJob, ...] = ()


@dataclass(frozen=True, slots=True)
class Refuse:
    """End it without a start."""

    outcome: Outcome
    reason: Reason
    message: str


def admit(
    run: ObservedRun, spec: ScheduledTaskSpec, jobs: Iterable[ObservedJob], runs: Iterable[ObservedRun]
) -> Start | Refuse:
    """Decide on a TaskRun made by hand that has neither Job nor outcome."""
    parameters = resolve_parameters(spec.parameters, run.parameters or {})
    if isinstance(parameters, str):
        return Refuse(Outcome.FAILED, Reason.INVALID_PARAMETERS, parameters)
    first = _first_with_key(run, runs)
    if first is not None:
        text = f"TaskRun {first.name!r} carries the same idempotencyKey {run.idempotency_key!r}; only the first runs"
        return Refuse(Outcome.SKIPPED, Reason.DUPLICATE_KEY, text)
    active = tuple(job for job in jobs if job.active)
    if not active or run.override or spec.concurrency_policy is ConcurrencyPolicy.ALLOW:
        return Start(parameters)
    if spec.concurrency_policy is ConcurrencyPolicy.REPLACE:
        return Start(parameters, cancel=active)
    text = (
        f"{_names(active)} is still active and concurrencyPolicy is Forbid; wait for it, "
        "or set spec.override: true on a new TaskRun"
    )
    return Refuse(Outcome.SKIPPED, Reason.OVERLAP, text)


def _first_with_key(run: ObservedRun, runs: Iterable[ObservedRun]) -> ObservedRun | None:
    """Return another run that carries the same idempotency key and comes first, if there is one.

    Creation times have whole seconds, so of two in one second the one that has been dealt with is the first.
    """
    if run.idempotency_key is None:
        return None
    rivals = [
        each
        for each in runs
        if each.idempotency_key == run.idempotency_key
        and each.trigger is Trigger.MANUAL
        and each.outcome is not Outcome.SKIPPED
    ]
    first = min(rivals, key=lambda each: (not _dealt_with(each), each.created_at, each.name), default=run)
    return None if first.name == run.name else first


def _dealt_with(run: ObservedRun) -> bool:
    return run.finished or run.job_uid is not None


def _names(jobs: Sequence[ObservedJob]) -> str:
    return ", ".join(job.task_run_name for job in jobs)
