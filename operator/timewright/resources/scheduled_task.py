"""ScheduledTask: what to run, when, and under which policies."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from timewright.resources.conditions import Condition
from timewright.resources.kinds import Application, Command, HttpRequest, Parameter, PythonCall
from timewright.resources.locks import LockName
from timewright.resources.model import Model, Time, Told, opaque_list, opaque_object, with_rules
from timewright.resources.notify import NotifyRule
from timewright.resources.run_policies import MissedRunsSpec, RetrySpec
from timewright.resources.task_daemon import DEFAULT_DAEMON, DaemonName
from timewright.resources.timing import DaylightSavingPolicy, Excluded, Expression, TaskCalendar, WindowText
from timewright.resources.vocabulary import ConcurrencyPolicy, LockPolicy, MissedRunsPolicy, Mode, OnLost, Outcome

KINDS = ("jobTemplate", "command", "http", "python", "app")
"""The fields of the spec that say what to run; exactly one is set."""

_ONE_KIND = f"[{', '.join(f'has(self.{kind})' for kind in KINDS)}].filter(kind, kind).size() == 1"
POD_FIELDS = ("image", "env", "envFrom", "resources", "podTemplate")
"""The fields of the spec that shape the Pod of a task without a `jobTemplate`."""

_NO_POD_FIELDS = " && ".join(f"!has(self.{field})" for field in POD_FIELDS)


def _allow_if_empty(policy: object) -> object:
    """Read an empty concurrencyPolicy as CronJob does."""
    return ConcurrencyPolicy.ALLOW if policy == "" else policy


class ScheduledTaskSpec(Model):
    """What to run, when, and under which policies.

    A superset of `batch/v1` CronJobSpec: the fields that CronJob has keep its names, meanings and defaults.
    """

    model_config = with_rules(
        (_ONE_KIND, f"set exactly one of {', '.join(KINDS)}: it says what the task runs"),
        (
            "has(self.schedule) ? !has(self.schedules) : has(self.schedules) || has(self.app)",
            "set exactly one of schedule and schedules; only app may leave out both (it then runs every minute)",
        ),
        (
            f"!has(self.jobTemplate) || ({_NO_POD_FIELDS})",
            "image, env, envFrom, resources and podTemplate go with command, http, python and app; "
            "with jobTemplate write them inside jobTemplate.spec.template",
        ),
        ("!has(self.app) || has(self.image)", "app needs image: the image that contains the application"),
    )

    mode: Mode = Field(
        default=Mode.CRON_JOB,
        description="What turns ticks into runs. CronJob compiles the schedule into a native CronJob, which fires with "
        "no help from the operator. Daemon leaves them to a process that keeps running: the TaskDaemon that daemon "
        "names or, outside of a cluster, `timewright schedule:work`. An app with work becomes a Deployment of its own. "
        "It can be changed at any time; no tick is lost by it, and none runs twice.",
    )
    daemon: DaemonName | None = Field(
        default=None,
        description="Name of the TaskDaemon, in the task's namespace, that starts its runs in mode Daemon. Default: "
        "default, which the operator makes where there is none.",
    )
    schedule: str | None = Field(
        default=None,
        min_length=1,
        max_length=1024,
        description="When to run, in cron format: five fields, or @hourly, @daily, @every 90m and their like. "
        "See https://en.wikipedia.org/wiki/Cron. H is a number that the task keeps: `H H * * *` is once a day. "
        "Seconds, years, L, 15W and MON#2 need mode Daemon wherever native cron cannot say the same. Required unless "
        "schedules is set, but for app, which runs every minute by default.",
    )
    schedules: list[Expression] | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Several expressions in place of schedule, taken together: a time that two of them name is one "
        "tick. More than one needs mode Daemon.",
    )
    time_zone: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="Time zone that the schedule is read in, a name of the IANA database such as Europe/Berlin. "
        "Without it the time zone of the kube-controller-manager process applies, which is UTC on most clusters.",
    )
    windows: list[WindowText] | None = Field(
        default=None,
        max_length=64,
        description="Times of the week outside of which there are no ticks, such as `between 09:00-17:30 on weekdays` "
        "or `not between 12:00-13:00`. Mode CronJob takes those that become one native schedule.",
    )
    calendars: list[TaskCalendar] | None = Field(
        default=None, max_length=16, description="Days and hours on which nothing runs. Needs mode Daemon."
    )
    excluded: Excluded | None = Field(
        default=None,
        description="What becomes of a tick that a calendar closes: Skip leaves it out (the default), PreviousDay and "
        "NextDay move it to the same local time of the nearest open day before or after.",
    )
    daylight_saving: DaylightSavingPolicy | None = Field(
        default=None,
        description="What becomes of local times that a change of the clock leaves out or repeats. Without it a "
        "schedule behaves as in a native CronJob. Mode CronJob takes it where it makes no difference to that.",
    )
    start_at: Time | None = Field(default=None, description="The first instant that may be a tick. Needs mode Daemon.")
    end_at: Time | None = Field(default=None, description="The last instant that may be a tick. Needs mode Daemon.")
    suspend: bool = Field(
        default=False,
        description="Stops further scheduled runs; active ones go on. A suspended task can be run by hand.",
    )
    concurrency_policy: Annotated[ConcurrencyPolicy, BeforeValidator(_allow_if_empty)] = Field(
        default=ConcurrencyPolicy.ALLOW,
        json_schema_extra={"enum": [*(policy.value for policy in ConcurrencyPolicy), ""]},
        description="What happens when a tick comes while a run is active: Allow runs them side by side, Forbid skips "
        "the tick, Replace cancels the active run and starts the new one, Queue lets the tick wait its turn (needs "
        "mode Daemon).",
    )
    max_concurrent: int | None = Field(
        default=None,
        ge=1,
        le=10000,
        description="How many runs may be active at once. Default: any number under Allow, otherwise 1. Needs mode "
        "Daemon.",
    )
    max_queued: int | None = Field(
        default=None,
        ge=0,
        le=10000,
        description="How many ticks may wait under Queue, or for locks; one that finds no room is skipped. Default: "
        "100.",
    )
    starting_deadline_seconds: int | None = Field(
        default=None,
        ge=0,
        description="How late, in seconds, a run may still start after its tick; later it counts as missed.",
    )
    jitter_seconds: int | None = Field(
        default=None,
        ge=1,
        le=3600,
        description="Puts the start of each run off by up to so many seconds, never beyond the next tick. By how many "
        "follows from the task and the tick. The nominal time stays as it is, and startingDeadlineSeconds counts from "
        "the start that is meant. Needs mode Daemon.",
    )
    locks: list[LockName] | None = Field(
        default=None,
        min_length=1,
        max_length=8,
        description="Names of locks that a run holds from its start to its end, all of them or none. Tasks of one "
        "TaskDaemon that name the same lock take turns; how many may hold it at once its locks say. Needs mode Daemon.",
    )
    lock_policy: LockPolicy | None = Field(
        default=None,
        description="What becomes of a tick whose locks others hold: Wait (the default) lets it wait its turn, in the "
        "order of ticks and no longer than startingDeadlineSeconds, Skip leaves it out.",
    )
    missed_runs: MissedRunsSpec | None = Field(
        default=None,
        description="What becomes of ticks that nobody was there for. Mode CronJob knows Latest alone, which is the "
        "default.",
    )
    on_resume: MissedRunsPolicy | None = Field(
        default=None,
        description="What becomes of the ticks of a time in which the task was suspended, once it no longer is: Skip "
        "(the default), Latest or All. Needs mode Daemon.",
    )
    on_schedule_change: MissedRunsPolicy | None = Field(
        default=None,
        description="What becomes of the ticks that a changed schedule would have had before the change was seen: Skip "
        "(the default), Latest or All. Needs mode Daemon.",
    )
    on_lost: OnLost | None = Field(
        default=None,
        description="What becomes of a run whose end nobody can tell: Record (the default) leaves it recorded as Lost, "
        "Rerun starts it again under the same nominal time, which only suits tasks that may run twice and needs mode "
        "Daemon.",
    )
    retry: RetrySpec | None = Field(
        default=None,
        description="Further attempts of a run that failed, within the run and under its nominal time. For http, "
        "python, and command without image; elsewhere jobTemplate.spec.backoffLimit does the like.",
    )
    successful_jobs_history_limit: int = Field(
        default=3, ge=0, le=2147483647, description="How many succeeded Jobs to keep. Their TaskRuns outlive them."
    )
    failed_jobs_history_limit: int = Field(
        default=1, ge=0, le=2147483647, description="How many failed Jobs to keep. Their TaskRuns outlive them."
    )
    successful_runs_history_limit: int = Field(
        default=10, ge=0, le=1000, description="How many TaskRuns with outcome Succeeded to keep."
    )
    failed_runs_history_limit: int = Field(
        default=10, ge=0, le=1000, description="How many finished TaskRuns with any other outcome to keep."
    )
    runs_history_max_age_seconds: int | None = Field(
        default=None,
        ge=60,
        le=2147483647,
        description="Age, in seconds since they finished, after which TaskRuns are removed.",
    )

    job_template: dict[str, Any] | None = opaque_object(
        "The Job to create at each tick (a batch/v1 JobTemplateSpec), run as it is written."
    )
    command: Command | None = Field(
        default=None,
        description="Command and arguments, not run in a shell. With image it runs directly in that image, whatever it "
        "is; without, in the runner's image.",
    )
    http: HttpRequest | None = Field(
        default=None,
        description="HTTP request whose response decides the outcome. Without timeoutSeconds it may take 300 seconds.",
    )
    python: PythonCall | None = Field(
        default=None, description="Python function to call. The image must contain it, and timewright."
    )
    app: Application | None = Field(
        default=None, description="An application with a schedule of its own, in any framework. Needs image."
    )

    image: str | None = Field(
        default=None,
        min_length=1,
        max_length=1024,
        description="Container image for command, http, python and app. Default: the operator's runner image.",
    )
    env: list[dict[str, Any]] | None = opaque_list("Environment variables of the container (core/v1 EnvVar).")
    env_from: list[dict[str, Any]] | None = opaque_list(
        "Sources of environment variables of the container (core/v1 EnvFromSource)."
    )
    resources: dict[str, Any] | None = opaque_object("Resources of the container (core/v1 ResourceRequirements).")
    pod_template: dict[str, Any] | None = opaque_object(
        "Anything else about the Pod (core/v1 PodTemplateSpec), laid over the generated one. The container that runs "
        "the task is named `task`."
    )

    timeout_seconds: int | None = Field(
        default=None,
        ge=1,
        le=2147483,
        description="Seconds after which a run is ended and recorded as failed with reason TimedOut. Under retry each "
        "attempt has as long.",
    )
    image_pull_deadline_seconds: int = Field(
        default=120,
        ge=0,
        le=2147483647,
        description="Seconds after which a run whose image cannot be pulled is ended and recorded as failed with "
        "reason ImagePullFailed; 0 waits for ever, as a CronJob does.",
    )
    parameters: list[Parameter] = Field(
        default_factory=list,
        max_length=64,
        description="Values that a run may vary; a TaskRun may set these and nothing else.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    notify: list[NotifyRule] = Field(
        default_factory=list,
        max_length=8,
        description="Whom to tell of failures, recoveries and the like. In mode Daemon the daemon tells, in mode "
        "CronJob the operator, to hosts that its administrator allows. A run never waits for it.",
    )

    APP_SCHEDULE: ClassVar[str] = "* * * * *"

    @property
    def expressions(self) -> tuple[str, ...]:
        """The schedules, with the default of `app` filled in."""
        return tuple(self.schedules or ()) or (self.schedule or self.APP_SCHEDULE,)

    @property
    def daemon_name(self) -> str:
        """The name of the TaskDaemon, with the default filled in."""
        return self.daemon or DEFAULT_DAEMON


class ActiveRun(Told):
    """A run that has not finished."""

    name: str = Field(description="Name of the TaskRun.")
    job_name: str | None = Field(default=None, description="Name of its Job.")


class Counters(Told):
    """How many runs ended in each way since the task was created. Never reset, exact across restarts."""

    succeeded: int = Field(default=0, ge=0, description="Runs with outcome Succeeded.")
    failed: int = Field(default=0, ge=0, description="Runs with outcome Failed.")
    skipped: int = Field(default=0, ge=0, description="Runs with outcome Skipped.")
    missed: int = Field(default=0, ge=0, description="Runs with outcome Missed.")
    cancelled: int = Field(default=0, ge=0, description="Runs with outcome Cancelled.")
    lost: int = Field(default=0, ge=0, description="Runs with outcome Lost.")

    def plus(self, outcome: Outcome, number: int = 1) -> Counters:
        """Return these counters with so many more runs of that outcome, or fewer, but never less than none."""
        field = outcome.value.lower()
        return self.model_copy(update={field: max(0, getattr(self, field) + number)})


class CronJobStatus(Told):
    """The native CronJob that the schedule was compiled into."""

    name: str = Field(description="Name of the CronJob.")
    generation: int = Field(
        ge=0, description="Its metadata.generation when last applied; any other one means that somebody edited it."
    )


class DeploymentStatus(Told):
    """The Deployment that keeps an application's `work` command running."""

    name: str = Field(description="Name of the Deployment.")
    ready: bool = Field(default=False, description="Whether its Pod is ready.")


class SinceStatus(Told):
    """What a daemon's version of the watermark tells beyond the one before it."""

    base: int | None = Field(default=None, description="The revision of that one; none where no daemon wrote it.")
    counts: dict[str, int] = Field(
        default_factory=dict, description="How many ticks ended in each way between the two, named as in counters."
    )


class DecidedStatus(Told):
    """What a daemon needs besides the watermark to go on from it. Ticks are seconds since 1970."""

    revision: int = Field(default=0, description="Grows each time that the daemon writes the watermark.")
    schedule_id: str = Field(description="Digest of the schedule that the watermark belongs to.")
    timing: str | None = Field(
        default=None,
        description="The fields of the spec that make up that schedule, as JSON, unless they are very long.",
    )
    spec: str | None = Field(
        default=None,
        description="The spec of acceptedGeneration, as JSON, unless it is very long: a later one that is refused "
        "leaves it running, whoever leads by then.",
    )
    suspended: bool = Field(default=False, description="Whether the task was suspended at the watermark.")
    claimed: list[int] = Field(
        default_factory=list, description="Ticks up to the watermark whose runs have no outcome yet."
    )
    queued: list[int] = Field(
        default_factory=list, description="Ticks up to the watermark that wait for room to start."
    )
    since: SinceStatus | None = Field(
        default=None, description="What this tells beyond the revision before, for a daemon that knows only that one."
    )


class ScheduledTaskStatus(Told):
    """What is known of the task. Written by whoever scheduledBy names: the operator, or the daemon."""

    observed_generation: int | None = Field(default=None, description="The metadata.generation last looked at.")
    accepted_generation: int | None = Field(
        default=None, description="The metadata.generation last accepted: the one whose schedule is running."
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        description="Accepted: the spec is valid. Ready: it is applied, and says nothing of runs. Healthy: the last "
        "run succeeded.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    next_tick: Time | None = Field(default=None, description="The next nominal time; none while suspended.")
    next_ticks: list[Time] = Field(default_factory=list, description="The next nominal times, the first included.")
    warnings: list[str] = Field(
        default_factory=list, description="What the author of the schedule may not have meant, though it is valid."
    )
    last_tick: Time | None = Field(default=None, description="The nominal time of the latest scheduled run.")
    last_run: str | None = Field(
        default=None, description="Name of the TaskRun that finished last, of those that started."
    )
    last_outcome: Outcome | None = Field(
        default=None, description="Outcome of the run that finished last, of those that started."
    )
    last_success_time: Time | None = Field(default=None, description="When a run last succeeded.")
    active: list[ActiveRun] = Field(default_factory=list, description="Runs that have not finished.")
    active_count: int = Field(default=0, description="Number of runs that have not finished.")
    counters: Counters = Field(default_factory=Counters, description="How many runs ended in each way.")
    counted_runs: list[str] = Field(
        default_factory=list,
        description="Names of the TaskRuns, among those that still exist, which the counters include.",
    )
    cron_job: CronJobStatus | None = Field(default=None, description="The native CronJob of this task.")
    deployment: DeploymentStatus | None = Field(
        default=None, description="The Deployment of an app whose work command is kept running, in mode Daemon."
    )
    scheduled_by: Mode | None = Field(
        default=None,
        description="What decides the ticks now: CronJob or Daemon. It follows spec.mode, and only the one that it "
        "names hands over to the other. Without it, a task that has a cronJob is decided by that.",
    )
    daemon: str | None = Field(
        default=None, description="Name of the TaskDaemon that decides the ticks, while scheduledBy is Daemon."
    )
    watermark: Time | None = Field(
        default=None,
        description="Every tick up to this instant has been decided. Written by who decides, and where the next one "
        "goes on from.",
    )
    decided: DecidedStatus | None = Field(
        default=None, description="What a daemon needs besides the watermark to go on from it."
    )
