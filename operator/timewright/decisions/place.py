"""Where do the runs of a task take place?"""

from __future__ import annotations

from enum import StrEnum

from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.resources.vocabulary import Mode


class Place(StrEnum):
    """What a run is in the cluster."""

    JOB = "Job"
    """A Job with a Pod of its own."""
    PROCESS = "Process"
    """Part of the daemon's process, or a child of it."""
    DEPLOYMENT = "Deployment"
    """Nothing that we start: an application that keeps running finds out for itself what is due."""


def place_of(spec: ScheduledTaskSpec) -> Place:
    """Return where the runs of an accepted task take place.

    In mode Daemon, a task that says anything of a Pod has one, so that nothing of what it says is passed over.
    """
    if spec.mode is Mode.CRON_JOB:
        return Place.JOB
    if spec.app is not None:
        return Place.JOB if spec.app.work is None else Place.DEPLOYMENT
    of_pod = (spec.job_template, spec.image, spec.env_from, spec.resources, spec.pod_template)
    if any(each is not None for each in of_pod) or any(each.get("valueFrom") for each in spec.env or ()):
        return Place.JOB
    return Place.PROCESS
