"""TaskDaemon: a process in the tasks' namespace that keeps running and starts the runs of `mode: Daemon` tasks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from timewright.resources.conditions import Condition
from timewright.resources.kinds import SecretKeyReference
from timewright.resources.locks import LockSpec
from timewright.resources.model import Model, Told, opaque_list, opaque_object

DEFAULT_DAEMON = "default"
"""The TaskDaemon of tasks that name none. The operator makes it where there is none."""

NAME_LIMIT = 45
"""Characters of a TaskDaemon's name: `timewright-daemon-` and the name are a label's value, which takes 63."""

NAME_RULE = (
    f"self.metadata.name.size() <= {NAME_LIMIT}",
    f"the name may have at most {NAME_LIMIT} characters: what it becomes is named timewright-daemon- and this name",
)
"""Holds for the whole object, since a schema of `spec` cannot see the name."""

DaemonName = Annotated[str, Field(min_length=1, max_length=NAME_LIMIT, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
"""The name of a TaskDaemon, as a task refers to it."""


class PostgreSql(Model):
    """A PostgreSQL database."""

    secret_key_ref: SecretKeyReference = Field(
        description="Where the connection string is, such as `postgresql://user:password@host/database`: a key of a "
        "Secret in the daemon's namespace."
    )
    max_age_seconds: int | None = Field(
        default=None,
        ge=60,
        le=10**10,
        description="For how long runs are kept in the database, by their nominal time: those of all tasks of the "
        "namespace. Default: for ever. The history limits of tasks are for TaskRuns alone.",
    )


class DaemonStorage(Model):
    """Where the daemon keeps the history of runs besides TaskRuns and statuses."""

    postgresql: PostgreSql | None = Field(
        default=None,
        description="Keeps the full history in PostgreSQL: every run that ends is written there within a second. "
        "TaskRuns and statuses are still written, thinned as ever, and what is to run is decided without it.",
    )


class TaskDaemonSpec(Model):
    """How many replicas of the process there are, in which image, and within which limits."""

    replicas: int = Field(
        default=1,
        ge=0,
        le=10,
        description="How many Pods. One leads, the others stand by to take over; 0 stops the daemon and its tasks.",
    )
    image: str | None = Field(
        default=None,
        min_length=1,
        max_length=1024,
        description="Container image: yours, with your code and `timewright[daemon]` in it. Default: the operator's "
        "image, whose processes find no code but timewright's.",
    )
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        default=None, description="When nodes pull the image. Default: as Kubernetes decides by the image's tag."
    )
    service_account_name: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="ServiceAccount of the Pods, bound to the daemon's Role as well. Default: one that the operator "
        "makes, named timewright-daemon- and the daemon's name.",
    )
    env: list[dict[str, Any]] | None = opaque_list("Environment variables of the container (core/v1 EnvVar).")
    env_from: list[dict[str, Any]] | None = opaque_list(
        "Sources of environment variables of the container (core/v1 EnvFromSource)."
    )
    resources: dict[str, Any] | None = opaque_object(
        "Resources of the container (core/v1 ResourceRequirements). Default: requests of 50m CPU and 128Mi memory."
    )
    pod_template: dict[str, Any] | None = opaque_object(
        "Anything else about the Pod (core/v1 PodTemplateSpec), laid over the generated one. The container of the "
        "daemon is named `daemon`."
    )
    termination_grace_period_seconds: int = Field(
        default=60,
        ge=1,
        le=86400,
        description="Seconds that runs in the process may take to end when a Pod is told to stop. Its tasks are "
        "handed to another replica at once.",
    )
    lease_duration_seconds: int = Field(
        default=10,
        ge=4,
        le=300,
        description="Seconds after which another replica takes over from one that cannot be heard of. The leader stops "
        "starting runs before that.",
    )
    max_concurrent_runs: int | None = Field(
        default=None,
        ge=1,
        le=100000,
        description="How many runs may be active at once in the process; more of them wait. Default: 16 for "
        "each CPU of the node.",
    )
    max_concurrent_jobs: int | None = Field(
        default=None,
        ge=1,
        le=100000,
        description="How many Jobs of the daemon's tasks there may be at once; more runs wait for one to end, the one "
        "whose turn came first first. Default: no limit, as for CronJobs; quotas and the scheduler decide.",
    )
    api_writes_per_minute: int = Field(
        default=600,
        ge=10,
        le=60000,
        description="The most writes of records and statuses to the Kubernetes API in a minute. Failures come first, "
        "and what does not fit is thinned; counters stay exact. Renewing the Lease is not counted, and the first "
        "status of a new task counts as a fifth of a write.",
    )
    locks: list[LockSpec] = Field(
        default_factory=list,
        max_length=64,
        description="Locks that several runs may hold at once. Those that tasks name and that are not listed here have "
        "one slot.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    storage: DaemonStorage | None = Field(
        default=None, description="Where history is kept. Default: in TaskRuns and statuses alone."
    )


class TaskDaemonStatus(Told):
    """How the daemon does. Ready, replicas and readyReplicas are the operator's; the rest the daemon tells itself."""

    observed_generation: int | None = Field(
        default=None, description="The metadata.generation that the operator last applied."
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        description="Ready: its Pods are up. Lagging: it starts runs late, or cannot write as much as there is to "
        "tell; the message says which. HistoryRecorded, where there is a database: every run that has ended is in it.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    replicas: int | None = Field(default=None, description="How many Pods there are.")
    ready_replicas: int | None = Field(default=None, description="How many Pods are ready.")
    leader: str | None = Field(default=None, description="Name of the Pod that leads.")
    tasks: int | None = Field(default=None, description="How many tasks the leader decides.")
