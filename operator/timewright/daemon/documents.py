"""What the daemon writes: TaskRuns and statuses, as plain dictionaries. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from timewright.daemon.task import ClusterTask
from timewright.decisions.acceptance import Refused
from timewright.decisions.status import ACTIVE_LISTED
from timewright.decisions.task_state import OpenPhase
from timewright.desired import names
from timewright.resources.conditions import Condition, condition, merge_conditions
from timewright.resources.model import API_VERSION, format_time
from timewright.resources.vocabulary import Mode, Outcome, Phase, Trigger
from timewright.storage.kubernetes.book import Snapshot
from timewright.storage.kubernetes.journal import Since
from timewright.storage.records import RunRecord
from timewright.timetable.jitter import nominal_ticks, tick_of

Manifest = dict[str, Any]

TICKS_TOLD = 5
_MESSAGE_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class JobOfRun:
    """The Job that runs, or ran, something."""

    name: str
    uid: str


def task_run(namespace: str, task: str, uid: str, daemon: str, run: RunRecord) -> Manifest:
    """Return the TaskRun that records the run of a tick, without its status."""
    spec: Manifest = {"taskRef": {"name": task}, "trigger": run.trigger.value, "scheduledAt": at(run.scheduled_at)}
    return {
        "apiVersion": API_VERSION,
        "kind": "TaskRun",
        "metadata": {
            "name": run.run_id,
            "namespace": namespace,
            "labels": {**names.labels(task), names.DAEMON_LABEL: daemon},
            "ownerReferences": [names.owned_by_task(task, uid)],
        },
        "spec": spec,
    }


def run_status(run: RunRecord, job: JobOfRun | None, now: int) -> Manifest:
    """Return the status of the TaskRun of a run, ended or not. `now` is in UTC seconds."""
    status: Manifest = {"observedGeneration": 1}
    if job is not None:
        status |= {"jobName": job.name, "jobUid": job.uid}
    if run.started_at is not None:
        status["startTime"] = at(run.started_at)
        status["startDelaySeconds"] = max(0, round(run.started_at - run.scheduled_at - run.jitter))
    if run.outcome is None:
        waits = run.phase is OpenPhase.QUEUED
        status["phase"] = (Phase.PENDING if waits else Phase.RUNNING).value
        if not waits:
            status.setdefault("startTime", at(now))
        return status
    message = run.message[:_MESSAGE_LIMIT]
    kind = "Complete" if run.outcome is Outcome.SUCCEEDED else "Failed"
    completed = run.finished_at or now
    told = condition(kind, True, run.reason, message or run.reason, now=datetime.fromtimestamp(completed, UTC))
    status |= {
        "phase": Phase.FINISHED.value,
        "outcome": run.outcome.value,
        "reason": run.reason,
        "completionTime": at(completed),
        "conditions": [{**told.to_manifest(), "observedGeneration": 1}],
    }
    optional = {"message": message, "exitCode": run.exit_code, "output": run.output, "attempts": run.attempts}
    return status | {key: value for key, value in optional.items() if value not in (None, "", [])}


def task_status(
    before: Mapping[str, Any],
    snapshot: Snapshot,
    task: ClusterTask | None,
    refused: Refused | None,
    withheld: Refused | None = None,
    *,
    generation: int,
    daemon: str,
    counted: Collection[str],
    last_run: RunRecord | None,
    now: int,
) -> Manifest:
    """Return the whole status of a task that this daemon decides.

    Args:
        before: the status as it is.
        snapshot: what there is to tell.
        task: what runs: that of the newest generation that was accepted; None where there is none.
        refused: why the newest generation is refused, if it is.
        withheld: why it cannot run for now, though it is valid, if it cannot.
        generation: the newest.
        daemon: the name of the TaskDaemon.
        counted: names of TaskRuns that the counters include, and of which a watermark tells nothing.
        last_run: the one that finished last, if one has since `before` was written.
        now: the present, in UTC seconds.

    """
    stored, written = snapshot.stored, snapshot.written
    status = {key: before[key] for key in ("lastRun", "lastOutcome", "lastTick", "warnings") if key in before}
    active = [run for run in stored.state.open_runs if run.phase is not OpenPhase.QUEUED]
    status |= {
        "observedGeneration": generation,
        "scheduledBy": Mode.DAEMON.value,
        "daemon": daemon,
        "watermark": at(written.watermark or 0),
        "decided": _decided(snapshot, task),
        "counters": {outcome.value.lower(): snapshot.counters.get(outcome, 0) for outcome in Outcome},
        "countedRuns": sorted(counted),
        "active": [{"name": run.run_id} for run in active[:ACTIVE_LISTED]],
        "activeCount": len(active),
        "nextTicks": [],
    }
    if task is not None:
        status["acceptedGeneration"] = task.generation
        ticks = [] if task.suspended else _next_ticks(task, max(now, written.watermark or 0))
        status["nextTicks"] = [at(tick) for tick in ticks]
        if ticks:
            status["nextTick"] = at(ticks[0])
        latest = task.ticks.last_until(min(now, written.watermark or 0))
        if latest is not None and stored.last_finished_at is not None:
            status["lastTick"] = at(tick_of(task.ticks, latest))
    if stored.last_success_at is not None:
        status["lastSuccessTime"] = at(stored.last_success_at)
    if last_run is not None and last_run.outcome is not None:
        status |= {"lastRun": last_run.run_id, "lastOutcome": last_run.outcome.value}
    status["conditions"] = _conditions(before, status, refused, withheld, generation, now)
    return status


def handed_back(status: Manifest) -> Manifest:
    """Return the status by which the operator decides from now on."""
    gone = ("decided", "daemon", "nextTick")
    kept = {key: value for key, value in status.items() if key not in gone}
    return {**kept, "scheduledBy": Mode.CRON_JOB.value, "nextTicks": [], "active": [], "activeCount": 0}


def at(instant: float) -> str:
    """Write UTC seconds as a manifest does."""
    return format_time(datetime.fromtimestamp(int(instant), UTC))


def latest_run(records: Sequence[RunRecord]) -> RunRecord | None:
    """Return the run that finished last, of those that started."""
    started = [run for run in records if run.started_at is not None and run.finished_at is not None]
    return max(started, key=lambda run: run.finished_at or 0, default=None)


def is_of_tick(run: RunRecord) -> bool:
    """Tell whether a run is that of a tick, rather than of a TaskRun made by hand."""
    return run.trigger is not Trigger.MANUAL


def _decided(snapshot: Snapshot, task: ClusterTask | None) -> Manifest:
    written = snapshot.written
    decided: Manifest = {
        "revision": written.revision,
        "scheduleId": written.schedule_id,
        "suspended": written.suspended,
        "claimed": list(snapshot.claimed),
        "queued": list(snapshot.queued),
        "since": _since(snapshot.since),
    }
    if task is not None and task.schedule_id == written.schedule_id and task.timing is not None:
        decided["timing"] = task.timing
    if task is not None and task.spec_text is not None:
        decided["spec"] = task.spec_text
    return decided


def _since(since: Since) -> Manifest:
    told: Manifest = {"counts": {outcome.value.lower(): count for outcome, count in since.counts.items()}}
    return told if since.base is None else {**told, "base": since.base}


def _next_ticks(task: ClusterTask, after: int) -> list[int]:
    ticks: list[int] = []
    nominal = nominal_ticks(task.ticks)
    tick = nominal.first_from(after + 1)
    while tick is not None and len(ticks) < TICKS_TOLD:
        ticks.append(tick)
        tick = nominal.first_from(tick + 1)
    return ticks


def _conditions(
    before: Mapping[str, Any],
    status: Manifest,
    refused: Refused | None,
    withheld: Refused | None,
    generation: int,
    now: int,
) -> list[Manifest]:
    instant = datetime.fromtimestamp(now, UTC)

    def told(kind: str, is_true: bool | None, reason: str, message: str) -> Condition:
        return condition(kind, is_true, reason, message, now=instant, generation=generation)

    running = status.get("acceptedGeneration")
    goes_on = f"; generation {running} keeps running" if running is not None else ""
    valid = told("Accepted", True, "Valid", "the spec is valid")
    if refused is not None:
        conditions = [
            told("Accepted", False, refused.reason, refused.message),
            told("Ready", False, "NotAccepted", refused.message + goes_on),
        ]
    elif withheld is not None:
        conditions = [valid, told("Ready", False, withheld.reason, withheld.message + goes_on)]
    else:
        conditions = [valid, told("Ready", True, "Scheduled", f"TaskDaemon {status['daemon']} decides its ticks")]
    last = status.get("lastOutcome")
    if last is None:
        conditions.append(told("Healthy", None, "NoRunYet", "no run has finished yet"))
    else:
        well = last == Outcome.SUCCEEDED.value
        conditions.append(told("Healthy", well, f"LastRun{last}", f"run {status.get('lastRun')}: {last}"))
    old = [Condition.model_validate(each) for each in before.get("conditions") or []]
    return [each.to_manifest() for each in merge_conditions(old, conditions)]
