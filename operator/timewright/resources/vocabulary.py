"""The closed sets of words that manifests, statuses, logs and metrics share."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """What turns ticks into runs."""

    CRON_JOB = "CronJob"
    DAEMON = "Daemon"


class ConcurrencyPolicy(StrEnum):
    """What happens to a tick while an earlier run is active. The first three are those of `batch/v1` CronJob."""

    ALLOW = "Allow"
    FORBID = "Forbid"
    REPLACE = "Replace"
    QUEUE = "Queue"
    """The tick waits for its turn."""


class MissedRunsPolicy(StrEnum):
    """What becomes of ticks that were not decided in time."""

    SKIP = "Skip"
    """They are recorded as Missed."""
    LATEST = "Latest"
    """The latest of them runs, the others are Missed. This is what `batch/v1` CronJob does."""
    ALL = "All"
    """All of them run, oldest first, within limits of number and age."""


class LockPolicy(StrEnum):
    """What becomes of a tick whose locks others hold."""

    WAIT = "Wait"
    """It waits its turn."""
    SKIP = "Skip"
    """It is recorded as Skipped."""


class OnLost(StrEnum):
    """What becomes of a run of which nobody can tell how it ended, since whoever ran it is gone."""

    RECORD = "Record"
    """It is recorded as Lost."""
    RERUN = "Rerun"
    """It starts again, under the same nominal time. Only for tasks that may run twice."""


class Trigger(StrEnum):
    """What asked for a run."""

    SCHEDULE = "Schedule"
    MANUAL = "Manual"
    CATCH_UP = "CatchUp"


class Phase(StrEnum):
    """Where a run is; once Finished, its outcome tells how it ended."""

    PENDING = "Pending"
    RUNNING = "Running"
    FINISHED = "Finished"


class Outcome(StrEnum):
    """How a tick or a run ended."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    """A rule kept it from starting."""
    MISSED = "Missed"
    """Nobody was there to start it in time."""
    CANCELLED = "Cancelled"
    LOST = "Lost"
    """Whoever ran it is gone, and nobody can tell how it ended."""


class Reason(StrEnum):
    """Why it ended so: one CamelCase word, stable enough to alert on."""

    COMPLETED = "Completed"

    NON_ZERO_EXIT = "NonZeroExit"
    EXCEPTION = "Exception"
    TIMED_OUT = "TimedOut"
    UNEXPECTED_STATUS = "UnexpectedStatus"
    REQUEST_FAILED = "RequestFailed"
    INVALID_DEFINITION = "InvalidDefinition"
    OUT_OF_MEMORY = "OutOfMemory"
    START_ERROR = "StartError"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    EVICTED = "Evicted"
    BACKOFF_LIMIT_EXCEEDED = "BackoffLimitExceeded"
    JOB_FAILED = "JobFailed"
    JOB_REFUSED = "JobRefused"

    TASK_NOT_FOUND = "TaskNotFound"
    TASK_NOT_READY = "TaskNotReady"
    INVALID_PARAMETERS = "InvalidParameters"
    INVALID_TRIGGER = "InvalidTrigger"

    OVERLAP = "Overlap"
    QUEUE_FULL = "QueueFull"
    LOCK_HELD = "LockHeld"
    SUSPENDED = "Suspended"
    CONDITION = "Condition"
    UNPROTECTED = "Unprotected"

    DOWNTIME = "Downtime"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    SCHEDULE_CHANGED = "ScheduleChanged"

    OWNER_GONE = "OwnerGone"
    DUPLICATE_KEY = "DuplicateKey"

    REPLACED = "Replaced"
    TERMINATED = "Terminated"
    INTERRUPTED = "Interrupted"
    JOB_DELETED = "JobDeleted"
    JOB_VANISHED = "JobVanished"


class NoticeEvent(StrEnum):
    """Of what a notice tells."""

    FAILED = "Failed"
    """A run failed, or was lost."""
    RECOVERED = "Recovered"
    """A run succeeded, and the one before had not."""
    MISSED = "Missed"
    """Ticks were not started in time."""
    LONG_RUNNING = "LongRunning"
    STARTED = "Started"
    SUCCEEDED = "Succeeded"
