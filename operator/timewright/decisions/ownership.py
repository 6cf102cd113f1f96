"""Who decides the ticks of a task now, and who is to?

The spec says who is to, by `mode` and `daemon`. The status says who does: `scheduledBy`, `daemon`, `deployment`. Only
the one that the status names may start runs of the schedule, and only that one changes the status, in a write that
names the version of the task that it looked at. So there is no moment at which two decide:

- Between a native CronJob and a Deployment of its own the operator does both sides.
- A daemon takes what the status gives it. What it is no longer to decide, it gives back to the operator: it stops
  claiming, waits until all it claimed has started, and writes `scheduledBy: CronJob` with its watermark.
- The operator gives to a daemon once the CronJob is suspended and at rest: `scheduledBy: Daemon`, `daemon`, and the
  watermark, the last tick that the CronJob decided.

A task that nobody has decided yet says nothing of it in its status. At its first generation its mode has never been
another one, so whoever the spec names may begin at once. Later its mode may have changed in between, so that somebody
could have begun; then the operator writes down who it is before anybody does.
"""

from __future__ import annotations

from dataclasses import dataclass

from timewright.decisions.place import Place, place_of
from timewright.resources.scheduled_task import ScheduledTaskSpec, ScheduledTaskStatus
from timewright.resources.vocabulary import Mode


@dataclass(frozen=True, slots=True)
class Decider:
    """Who decides the ticks of a task: its CronJob, a daemon by its name, or an application in a Deployment."""

    mode: Mode
    daemon: str | None = None


NATIVE = Decider(Mode.CRON_JOB)
DEPLOYMENT = Decider(Mode.DAEMON)


def wanted(spec: ScheduledTaskSpec) -> Decider:
    """Return who is to decide, as the spec says."""
    if spec.mode is Mode.CRON_JOB:
        return NATIVE
    return DEPLOYMENT if place_of(spec) is Place.DEPLOYMENT else Decider(Mode.DAEMON, spec.daemon_name)


def present(spec: ScheduledTaskSpec, status: ScheduledTaskStatus, generation: int) -> Decider | None:
    """Return who decides now, or None where the operator has yet to say.

    Args:
        spec: the spec, accepted or not.
        status: the status that was read together with it.
        generation: the task's `metadata.generation`.

    """
    if status.scheduled_by is Mode.DAEMON:
        if status.deployment is not None:
            return DEPLOYMENT
        return Decider(Mode.DAEMON, status.daemon or spec.daemon_name)
    if status.scheduled_by is Mode.CRON_JOB or status.cron_job is not None:
        return NATIVE
    # The Deployment of an application is on record before it is made, so that it is never forgotten.
    return wanted(spec) if generation <= 1 and wanted(spec) != DEPLOYMENT else None


def is_mine(
    daemon: str, spec: ScheduledTaskSpec, status: ScheduledTaskStatus, generation: int, *, accepted: bool = True
) -> bool:
    """Tell whether the daemon of that name decides the ticks of a task and is to go on doing so.

    `accepted` tells whether the spec was. A refused one changes no hands: who decides goes on with the one before.
    """
    mine = Decider(Mode.DAEMON, daemon)
    return present(spec, status, generation) == mine and (wanted(spec) == mine or not accepted)


def is_to_be_given_back(
    daemon: str, spec: ScheduledTaskSpec, status: ScheduledTaskStatus, generation: int, *, accepted: bool = True
) -> bool:
    """Tell whether the daemon of that name decides the ticks of a task, and is to no longer. See `is_mine`."""
    mine = Decider(Mode.DAEMON, daemon)
    return accepted and wanted(spec) != mine and present(spec, status, generation) == mine
