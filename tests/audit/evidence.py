"""What is known of a namespace's runs, from whoever can tell without being asked to by the product."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Manifest = Mapping[str, Any]

SCHEDULED_TIMESTAMP = "batch.kubernetes.io/cronjob-scheduled-timestamp"
MANUAL = "Manual"


@dataclass(frozen=True)
class Start:
    """Something that ran for a tick: a process that left a trace, or a Job."""

    carrier: str
    """Tells two starts of one tick apart."""
    at: float | None = None
    """When, in seconds since 1970; None for a Job, whose time is known to the second only."""
    ended: bool = False


@dataclass(frozen=True)
class Record:
    """A TaskRun of a tick as it was seen last."""

    name: str
    outcome: str | None
    reason: str
    uid: str


@dataclass
class Task:
    """A ScheduledTask as it is in the end, and what is known of its ticks. All instants are UTC seconds."""

    name: str
    expression: str
    zone: str
    created: int
    watermark: int | None
    """Up to where the daemon says it has decided; None if no daemon decides it."""
    counters: Mapping[str, int]
    waiting: frozenset[int]
    """Ticks that wait for room, as the daemon says."""
    may_rerun: bool
    """Whether the task asks for a run that was cut off to be started again."""
    starts: dict[int, list[Start]] = field(default_factory=lambda: defaultdict(list))
    records: dict[int, dict[str, Record]] = field(default_factory=lambda: defaultdict(dict))
    """By tick and UID."""
    by_hand: dict[str, str | None] = field(default_factory=dict)
    """Outcomes of runs that people asked for, by name."""


def gather(
    tasks: Iterable[Manifest], jobs: Iterable[Manifest], task_runs: Iterable[Manifest], trace: Iterable[str]
) -> dict[str, Task]:
    """Sort everything by task and tick. Jobs and TaskRuns have to be all there ever were, in the state seen last."""
    found = {each["metadata"]["name"]: _task(each) for each in tasks}
    _read_trace(found, trace)
    for job in jobs:
        metadata = job["metadata"]
        owner = _task_of(metadata)
        at = (metadata.get("annotations") or {}).get(SCHEDULED_TIMESTAMP)
        if owner in found and at is not None:
            condition_types = {each["type"] for each in (job.get("status") or {}).get("conditions") or []}
            ended = bool(condition_types & {"Complete", "Failed"})
            found[owner].starts[seconds(at)].append(Start(f"Job {metadata['uid']}", ended=ended))
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
    return found


def seconds(text: str) -> int:
    """Read an instant as manifests write it."""
    return int(datetime.fromisoformat(text).timestamp())


def _task(body: Manifest) -> Task:
    spec, status = body["spec"], body.get("status") or {}
    watermark = status.get("watermark") if status.get("scheduledBy") == "Daemon" else None
    return Task(
        name=body["metadata"]["name"],
        expression=spec["schedule"],
        zone=spec.get("timeZone") or "UTC",
        created=seconds(body["metadata"]["creationTimestamp"]),
        watermark=None if watermark is None else seconds(watermark),
        counters={name: count for name, count in (status.get("counters") or {}).items() if count},
        waiting=frozenset((status.get("decided") or {}).get("queued") or ()),
        may_rerun=spec.get("onLost") == "Rerun",
    )


def _read_trace(tasks: Mapping[str, Task], trace: Iterable[str]) -> None:
    started: dict[tuple[str, int, str], float] = {}
    ended: set[tuple[str, int, str]] = set()
    for line in trace:
        what, name, at, _, trigger, carrier, when = line.split()
        if trigger == MANUAL:
            continue
        key = (name, seconds(at), carrier)
        if what == "start":
            started[key] = float(when)
        else:
            ended.add(key)
    for (name, tick, carrier), when in started.items():
        if name in tasks:
            start = Start(carrier, when, ended=(name, tick, carrier) in ended)
            tasks[name].starts[tick].append(start)


def _task_of(metadata: Manifest) -> str | None:
    """Return the name of the task whose label a Job carries, whoever created it."""
    labels: Mapping[str, str] = metadata.get("labels") or {}
    return labels.get("timewright.dev/task")
