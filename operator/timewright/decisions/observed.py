"""What was seen of the objects that a task owns, reduced to what decisions need."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from timewright.resources.vocabulary import Outcome, Phase, Trigger


@dataclass(frozen=True, slots=True)
class ObservedJob:
    """A Job that runs, or ran, a task. Instants are aware, in UTC."""

    name: str
    uid: str
    created_at: datetime
    controller_uid: str | None = None
    run_name: str | None = None
    """For a Job made for a TaskRun, that TaskRun's name."""
    scheduled_at: datetime | None = None
    """For a native Job, the nominal time that the CronJob controller wrote on it."""
    start_time: datetime | None = None
    finished_at: datetime | None = None
    succeeded: bool | None = None
    """None until the Job is finished."""
    failure_reason: str = ""
    failure_message: str = ""
    ready: int = 0
    time_to_live: int | None = None
    active_deadline: int | None = None
    suspended: bool = False
    daemon: str | None = None
    """The daemon that made it and settles its run, if one did."""
    deleted: bool = False
    """True once the Job is gone; the rest is what was last seen of it."""
    deleting: bool = False

    @property
    def finished(self) -> bool:
        """Whether the Job has completed or failed."""
        return self.succeeded is not None

    @property
    def active(self) -> bool:
        """Whether the Job is there and not finished, so that an overlap policy counts it."""
        return not (self.finished or self.deleted or self.deleting)

    @property
    def task_run_name(self) -> str:
        """The name of the TaskRun that records this Job."""
        return self.run_name or self.name


@dataclass(frozen=True, slots=True)
class ObservedRun:
    """A TaskRun. Instants are aware, in UTC."""

    name: str
    uid: str
    resource_version: str
    task_name: str
    created_at: datetime
    trigger: Trigger = Trigger.MANUAL
    owner_uid: str | None = None
    labelled: bool = False
    """Whether it carries the task's label."""
    daemon: str | None = None
    """The daemon that settles it, if one does."""
    is_counted: bool = False
    """Whether the counters of its task included it before it was there."""
    deleting: bool = False
    scheduled_at: datetime | None = None
    parameters: dict[str, Any] | None = None
    idempotency_key: str | None = None
    override: bool = False
    phase: Phase | None = None
    outcome: Outcome | None = None
    job_name: str | None = None
    job_uid: str | None = None
    completion_time: datetime | None = None
    status: dict[str, Any] = field(default_factory=dict, compare=False)
    """The whole status, as long as the run has no outcome."""

    @property
    def finished(self) -> bool:
        """Whether the run has its outcome."""
        return self.outcome is not None


@dataclass(frozen=True, slots=True)
class ObservedCronJob:
    """The native CronJob of a task. Instants are aware, in UTC."""

    name: str
    uid: str
    generation: int
    created_at: datetime
    controller_uid: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    applied_digest: str | None = None
    last_schedule_time: datetime | None = None
    schedule: str = ""
    time_zone: str | None = None
    suspended: bool = False
    forbids_overlap: bool = False
    """Whether it skips ticks while a run is active."""
    handed_over: str | None = None
    """Set while it is suspended because something else is to decide the ticks, see `decisions.handover`."""
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class ObservedDeployment:
    """The Deployment of a daemon, or of an application that keeps running."""

    name: str
    uid: str
    generation: int
    controller_uid: str | None = None
    wanted: int = 0
    """How many Pods there are to be."""
    replicas: int = 0
    """How many Pods there are."""
    ready: int = 0
    available: bool = False
    """Whether as many Pods as it needs have been ready for long enough, at its newest generation."""
    message: str = ""
    """What keeps it from that."""
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class ObservedContainer:
    """One container of a Pod that belongs to a Job."""

    name: str
    waiting_reason: str | None = None
    waiting_message: str = ""
    exit_code: int | None = None
    signal: int | None = None
    terminated_reason: str = ""
    message: str = ""
    """The termination message: a runner's report, or the tail of the log."""
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ObservedPod:
    """A Pod that belongs to a Job: one attempt."""

    name: str
    created_at: datetime
    phase: str = ""
    reason: str = ""
    message: str = ""
    disruption: str = ""
    """Why Kubernetes itself ended it (the reason of the DisruptionTarget condition), if it did."""
    unschedulable: str = ""
    """Why no node takes it, if none does."""
    containers: tuple[ObservedContainer, ...] = ()
