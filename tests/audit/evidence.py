"""What is known of a namespace's runs, from whoever can tell without being asked to by the product."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Manifest = Mapping[str, Any]

SCHEDULED_TIMESTAMP = "batch.kubernetes.io/cronjob-scheduled-timestamp"
RUN = "timewright.dev/run"
MANUAL = "Manual"


@dataclass(frozen=True)
class Start:
    """Something that ran for a tick: a process that left a trace, or a Job."""

    carrier: str
    """Tells two starts of one tick apart."""
    at: float
    """When, in seconds since 1970; that of a Job is known to the second only."""
    until: float | None = None
    """When it was over; None if it was cut off, or if nobody can tell."""
    ended: bool = False
    """Whether it came to its own end."""


@dataclass(frozen=True)
class Record:
    """A TaskRun of a tick as it was seen last."""

    name: str
    outcome: str | None
    reason: str
    uid: str


@dataclass(frozen=True)
class Phase:
    """What a task said for a time."""

    expressions: tuple[str, ...]
    suspended: bool
    begins: float = float("-inf")
    """The earliest instant, in seconds since 1970, from which it may have been what counts."""
    ends: float = float("inf")
    """The latest instant up to which it may have been what counts."""


@dataclass(frozen=True)
class Edit:
    """A change that was made to a task while it was due."""

    task: str
    before: Manifest
    """The spec."""
    after: Manifest
    low: float
    """The instant, in seconds since 1970, of the earliest tick that may be decided by what it said afterwards."""
    high: float
    """That of the latest tick that may be decided by what it said before."""


@dataclass
class Task:
    """A ScheduledTask as it is in the end, and what is known of its ticks. All instants are UTC seconds."""

    name: str
    phases: list[Phase]
    zone: str
    created: int
    watermark: int | None
    """Up to where the daemon says it has decided; None if no daemon decides it."""
    held: bool
    """Whether the daemon says that ticks after the watermark wait until the task is resumed."""
    counters: Mapping[str, int]
    waiting: frozenset[int]
    """Ticks that wait for room, as the daemon says."""
    may_rerun: bool
    """Whether the task asks for a run that was cut off to be started again."""
    limit: int | None
    """How many runs may be active at once."""
    starts: dict[int, list[Start]] = field(default_factory=lambda: defaultdict(list))
    records: dict[int, dict[str, Record]] = field(default_factory=lambda: defaultdict(dict))
    """By tick and UID."""
    by_hand: dict[str, str | None] = field(default_factory=dict)
    """Outcomes of runs that people asked for, by name."""
    by_hand_starts: dict[str, list[Start]] = field(default_factory=lambda: defaultdict(list))


@dataclass
class Evidence:
    """All that was found."""

    tasks: dict[str, Task]
    strangers: dict[tuple[str, int], list[Start]]
    """Starts of tasks that are gone, by name and tick."""


def gather(
    tasks: Iterable[Manifest],
    jobs: Iterable[Manifest],
    task_runs: Iterable[Manifest],
    trace: Iterable[str],
    edits: Iterable[Edit] = (),
) -> Evidence:
    """Sort everything by task and tick. Jobs and TaskRuns have to be all there ever were, in the state seen last."""
    edits = list(edits)
    found = {each["metadata"]["name"]: _task(each, edits) for each in tasks}
    strangers = _read_trace(found, trace)
    for job in jobs:
        metadata = job["metadata"]
        owner = found.get(_task_of(metadata) or "")
        annotations = metadata.get("annotations") or {}
        if owner is None:
            continue
        if RUN in annotations:
            owner.by_hand_starts[annotations[RUN]].append(_job(job))
        elif SCHEDULED_TIMESTAMP in annotations:
            owner.starts[seconds(annotations[SCHEDULED_TIMESTAMP])].append(_job(job))
    for run in task_runs:
        spec, status, metadata = run["spec"], run.get("status") or {}, run["metadata"]
        task = found.get(spec["taskRef"]["name"])
        if task is None:
            continue
        outcome = status.get("outcome")
        if spec.get("trigger", MANUAL) == MANUAL:
            task.by_hand[metadata["name"]] = outcome
            continue
        record = Record(metadata["name"], outcome, status.get("reason") or "", metadata["uid"])
        task.records[seconds(spec["scheduledAt"])][metadata["uid"]] = record
    return Evidence(found, strangers)


def seconds(text: str) -> int:
    """Read an instant as manifests write it."""
    return int(datetime.fromisoformat(text).timestamp())


def _task(body: Manifest, edits: Sequence[Edit]) -> Task:
    spec, status = body["spec"], body.get("status") or {}
    watermark = status.get("watermark") if status.get("scheduledBy") == "Daemon" else None
    limit = spec.get("maxConcurrent")
    if limit is None and spec.get("concurrencyPolicy", "Allow") != "Allow":
        limit = 1
    return Task(
        name=body["metadata"]["name"],
        phases=_phases(spec, [each for each in edits if each.task == body["metadata"]["name"]]),
        zone=spec.get("timeZone") or "UTC",
        created=seconds(body["metadata"]["creationTimestamp"]),
        watermark=None if watermark is None else seconds(watermark),
        held=bool((status.get("decided") or {}).get("suspended")),
        counters={name: count for name, count in (status.get("counters") or {}).items() if count},
        waiting=frozenset((status.get("decided") or {}).get("queued") or ()),
        may_rerun=spec.get("onLost") == "Rerun",
        limit=limit,
    )


def _phases(spec: Manifest, edits: Sequence[Edit]) -> list[Phase]:
    if not edits:
        return [Phase(_expressions(spec), suspended=False)]  # it is the auditor who suspends it in the end
    phases = []
    for number, spec_then in enumerate([edits[0].before, *(each.after for each in edits)]):
        begins = edits[number - 1].low if number else float("-inf")
        ends = edits[number].high if number < len(edits) else float("inf")
        phases.append(Phase(_expressions(spec_then), bool(spec_then.get("suspend")), begins, ends))
    return phases


def _expressions(spec: Manifest) -> tuple[str, ...]:
    return tuple(spec.get("schedules") or [spec["schedule"]])


def _job(body: Manifest) -> Start:
    conditions = (body.get("status") or {}).get("conditions") or []
    ends = [each["lastTransitionTime"] for each in conditions if each["type"] in ("Complete", "Failed")]
    metadata = body["metadata"]
    until = seconds(ends[0]) if ends else None
    return Start(f"Job {metadata['uid']}", seconds(metadata["creationTimestamp"]), until, ended=bool(ends))


def _read_trace(tasks: Mapping[str, Task], trace: Iterable[str]) -> dict[tuple[str, int], list[Start]]:
    started: dict[tuple[str, int, str, str], float] = {}
    ended: dict[tuple[str, int, str, str], tuple[float, bool]] = {}
    for line in trace:
        what, name, at, run, trigger, carrier, when = line.split()
        key = (name, seconds(at), carrier, run if trigger == MANUAL else "")
        if what == "start":
            started[key] = float(when)
        else:
            ended[key] = float(when), what == "end"
    strangers: dict[tuple[str, int], list[Start]] = defaultdict(list)
    for key, when in started.items():
        name, tick, carrier, run = key
        until, is_whole = ended.get(key, (None, False))
        start = Start(carrier, when, until, ended=is_whole)
        task = tasks.get(name)
        if task is None:
            strangers[name, tick].append(start)
        elif run:
            task.by_hand_starts[run].append(start)
        else:
            task.starts[tick].append(start)
    return strangers


def _task_of(metadata: Manifest) -> str | None:
    """Return the name of the task whose label a Job carries, whoever created it."""
    labels: Mapping[str, str] = metadata.get("labels") or {}
    return labels.get("timewright.dev/task")
