"""The closed sets of words that manifests, statuses, logs and metrics share."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """What turns ticks into runs."""

    CRON_JOB = "CronJob"


class ConcurrencyPolicy(StrEnum):
    """What happens to a tick while an earlier run is active. The words and meanings are `batch/v1` CronJob's."""

    ALLOW = "Allow"
    FORBID = "Forbid"
    REPLACE = "Replace"


class Trigger(StrEnum):
    """What asked for a run."""

    SCHEDULE = "Schedule"
    MANUAL = "Manual"


class Phase(StrEnum):
    """Where a run is; once Finished, its outcome tells how it ended."""

    PENDING = "Pending"
    RUNNING = "Running"
    FINISHED = "Finished"


class Outcome(StrEnum):
    """How a run ended."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    CANCELLED = "Cancelled"
    LOST = "Lost"


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
    DUPLICATE_KEY = "DuplicateKey"

    REPLACED = "Replaced"
    TERMINATED = "Terminated"
    JOB_DELETED = "JobDeleted"
    JOB_VANISHED = "JobVanished"
