"""The policies that the spec of a ScheduledTask declares, with the defaults of what it leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from timewright.decisions.policies import MissedRuns, NeededLock, Policies, Retry
from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.resources.vocabulary import ConcurrencyPolicy

_DEFAULT = Policies()
NO_SLOTS: Mapping[str, int] = MappingProxyType({})


def policies_of(spec: ScheduledTaskSpec, slots: Mapping[str, int] = NO_SLOTS) -> Policies:
    """Return the policies of a spec that was accepted. `slots` tells of some locks how many runs may hold them."""
    return Policies(
        concurrency=spec.concurrency_policy,
        max_concurrent=spec.max_concurrent,
        max_queued=_DEFAULT.max_queued if spec.max_queued is None else spec.max_queued,
        starting_deadline=spec.starting_deadline_seconds,
        missed_runs=missed_runs_of(spec),
        on_resume=spec.on_resume or _DEFAULT.on_resume,
        on_schedule_change=spec.on_schedule_change or _DEFAULT.on_schedule_change,
        on_lost=spec.on_lost or _DEFAULT.on_lost,
        retry=retry_of(spec),
        locks=tuple(NeededLock(name, slots.get(name, 1)) for name in sorted(spec.locks or ())),
        lock_policy=spec.lock_policy or _DEFAULT.lock_policy,
    )


def is_exclusive(spec: ScheduledTaskSpec) -> bool:
    """Tell whether a task must not run unless it is known what else does."""
    is_limited = spec.concurrency_policy is not ConcurrencyPolicy.ALLOW or spec.max_concurrent is not None
    return is_limited or spec.locks is not None


def missed_runs_of(spec: ScheduledTaskSpec) -> MissedRuns:
    """Return what becomes of ticks that nobody was there for."""
    given = spec.missed_runs
    if given is None:
        return _DEFAULT.missed_runs
    return MissedRuns(given.policy, given.max_runs, given.max_age_seconds)


def retry_of(spec: ScheduledTaskSpec) -> Retry:
    """Return how a run that failed is tried again: not at all where the spec does not say."""
    given = spec.retry
    if given is None:
        return _DEFAULT.retry
    longest = given.max_backoff_seconds
    if longest is None:
        longest = max(int(_DEFAULT.retry.max_backoff), given.backoff_seconds)
    return Retry(given.limit, given.backoff_seconds, longest)
