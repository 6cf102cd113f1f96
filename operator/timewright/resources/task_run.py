"""TaskRun: the record of one run, which outlives its Job and Pod; made by hand, a request to run now."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from timewright.resources.conditions import Condition
from timewright.resources.model import Model, Time, Told, with_rules
from timewright.resources.vocabulary import Outcome, Phase, Trigger


class TaskReference(Model):
    """The task that a run belongs to, in the same namespace."""

    name: str = Field(min_length=1, max_length=253, description="Name of the ScheduledTask.")


class TaskRunSpec(Model):
    """Which task to run, and with what. Creating a TaskRun runs the task now."""

    model_config = with_rules(("self == oldSelf", "a TaskRun's spec cannot be changed; create another TaskRun"))

    task_ref: TaskReference = Field(description="The task to run.")
    trigger: Trigger = Field(
        default=Trigger.MANUAL,
        description="What asked for the run. Leave it out to run the task now; Schedule is the operator's alone.",
    )
    scheduled_at: Time | None = Field(
        default=None,
        description="The nominal time of the run. For a run by hand the time at which the TaskRun was created.",
    )
    parameters: dict[str, Any] | None = Field(
        default=None,
        description="Values for parameters that the task declares, by name.",
        json_schema_extra={
            "type": "object",
            "additionalProperties": {"x-kubernetes-preserve-unknown-fields": True},
            "maxProperties": 64,
        },
    )
    idempotency_key: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="Of the TaskRuns of a task that carry the same key only the first runs; later ones are Skipped.",
    )
    override: bool = Field(default=False, description="Runs even if the task's concurrencyPolicy would forbid it now.")


class Attempt(Told):
    """One try of a run: one Pod of its Job."""

    number: int = Field(ge=1, description="Counts from 1.")
    pod_name: str | None = Field(default=None, description="Name of the Pod.")
    start_time: Time | None = Field(default=None, description="When the container started.")
    completion_time: Time | None = Field(default=None, description="When the container ended.")
    exit_code: int | None = Field(default=None, description="Exit code of the container.")
    reason: str | None = Field(default=None, description="Why it ended so.")
    message: str | None = Field(default=None, max_length=4096, description="What went wrong.")
    output: str | None = Field(default=None, max_length=8192, description="The tail of its output.")


class TaskRunStatus(Told):
    """How the run went. Written by the operator alone."""

    observed_generation: int | None = Field(default=None, description="The metadata.generation last looked at.")
    phase: Phase | None = Field(default=None, description="Pending, Running or Finished.")
    outcome: Outcome | None = Field(default=None, description="How the run ended; none until it has.")
    reason: str | None = Field(default=None, max_length=256, description="Why it ended so, in one CamelCase word.")
    message: str | None = Field(default=None, max_length=8192, description="What a person should know.")
    job_name: str | None = Field(default=None, description="Name of the Job that ran it.")
    job_uid: str | None = Field(default=None, description="UID of the Job that ran it.")
    start_time: Time | None = Field(default=None, description="When the Job started.")
    completion_time: Time | None = Field(default=None, description="When the run ended.")
    start_delay_seconds: int | None = Field(default=None, description="Seconds from the nominal time to the start.")
    exit_code: int | None = Field(default=None, description="Exit code of the last attempt.")
    output: str | None = Field(default=None, max_length=8192, description="The tail of the last attempt's output.")
    attempts: list[Attempt] = Field(
        default_factory=list, max_length=64, description="The latest attempts, in order; most runs have one."
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        description="Complete: the run succeeded. Failed: it ended in any other way.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
