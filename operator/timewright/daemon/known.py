"""What a replica knows of its namespace, whether it leads or stands by: tasks and TaskRuns, reduced."""

from __future__ import annotations

import json
import logging
import os
from collections import defaultdict
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from timewright.cluster.observe import observe_run
from timewright.daemon.task import ClusterTask, JobTemplate, Read, read_task
from timewright.decisions.acceptance import Refused
from timewright.decisions.observed import ObservedRun
from timewright.decisions.ownership import Decider, is_mine, is_to_be_given_back, present, wanted
from timewright.decisions.policies_of_spec import NO_SLOTS
from timewright.desired.runner_image import RunnerImage
from timewright.resources.model import parse_time
from timewright.resources.scheduled_task import ScheduledTaskSpec, ScheduledTaskStatus
from timewright.resources.vocabulary import Mode, Outcome, Trigger
from timewright.storage.kubernetes.takeover import Timing, Told
from timewright.storage.kubernetes.told import told_by_status

Manifest = dict[str, Any]

logger = logging.getLogger(__name__)


class KnownTask:
    """A ScheduledTask. Its status is kept as text: ten thousand parsed ones would fill the memory."""

    __slots__ = (
        "_daemon",
        "_is_leaving",
        "_status",
        "created_at",
        "generation",
        "given_back",
        "mine",
        "name",
        "read",
        "uid",
        "unsaid",
        "version",
    )

    def __init__(self, body: Manifest, read: Read, daemon: str) -> None:
        """Keep what matters of it; `read` is its spec, judged."""
        metadata = body["metadata"]
        self.name: str = metadata["name"]
        self.uid: str = metadata["uid"]
        self.generation: int = metadata.get("generation") or 0
        self.version = str(metadata["resourceVersion"])
        self.created_at = int(parse_time(metadata["creationTimestamp"]).timestamp())
        self.read = read
        self._daemon, self._is_leaving = daemon, "deletionTimestamp" in metadata
        self._status = b""
        self.mine = False
        """Whether this daemon decides its ticks and is to go on doing so."""
        self.given_back = False
        """Whether this daemon decides its ticks and is to no longer."""
        self.unsaid = False
        """Whether this daemon is to decide its ticks, but the status does not tell who does: it may have been edited
        before a leader that had begun could say so."""
        self._take_status(body.get("status") or {})

    @property
    def raw_status(self) -> Manifest:
        """Its status, parsed anew."""
        parsed: Manifest = json.loads(self._status)
        return parsed

    @property
    def task(self) -> ClusterTask | None:
        """What to run of it: what was accepted last; None where nothing was."""
        return self.read.task

    @property
    def template(self) -> JobTemplate | None:
        """What its Jobs are made of, where its runs are Jobs."""
        return self.read.template

    @property
    def refused(self) -> Refused | None:
        """Why what it says now is refused, if it is."""
        return self.read.refused

    @property
    def withheld(self) -> Refused | None:
        """Why what it says now does not run in this process yet, if it does not."""
        return _HANDING_OVER if self.given_back else self.read.withheld

    def note_written(self, version: str, status: Manifest) -> None:
        """Take over what a write of our own has made of it, until the watch tells more."""
        self.version = version
        self._take_status(status)

    def told(self, namespace: str, status: ScheduledTaskStatus) -> Told:
        """Return what the status tells of ticks."""
        return told_by_status(namespace, self.name, self.uid, self.created_at, status, self.present())

    def present(self) -> Timing | None:
        """Return the schedule that was accepted last; None where none was."""
        task = self.read.task
        return None if task is None else Timing(task.schedule_id, task.ticks)

    def _take_status(self, raw: Manifest) -> None:
        self._status = json.dumps(raw, separators=(",", ":")).encode()
        if self._is_leaving:
            return
        status, spec = read_status(raw), self.read.spec
        accepted = self.refused is None
        self.mine = is_mine(self._daemon, spec, status, self.generation, accepted=accepted)
        self.given_back = is_to_be_given_back(self._daemon, spec, status, self.generation, accepted=accepted)
        nobody = present(spec, status, self.generation) is None
        self.unsaid = nobody and wanted(spec) == Decider(Mode.DAEMON, self._daemon)


@dataclass(slots=True)
class KnownRun:
    """A TaskRun, reduced to what is needed of ten thousand of them."""

    uid: str
    version: int
    tick: int | None
    outcome: Outcome | None
    manual: bool
    own: bool
    """Whether this daemon made it, or has taken it over."""
    finished_at: int
    says_nothing: bool
    """Whether it has no status at all."""


class Known:
    """Tasks by UID and TaskRuns by task and name."""

    def __init__(
        self,
        namespace: str,
        daemon: str,
        runner: RunnerImage,
        variables: Container[str] = os.environ,
        slots: Mapping[str, int] = NO_SLOTS,
    ) -> None:
        """Begin empty.

        Args:
            namespace: whose tasks they are.
            daemon: the name of the TaskDaemon.
            runner: the image of Jobs for tasks that name none.
            variables: the names of the environment variables that the process has.
            slots: of locks that several runs may hold at once, how many.

        """
        self.namespace, self.daemon = namespace, daemon
        self._slots = slots
        self.tasks: dict[str, KnownTask] = {}
        self.uids: dict[str, str] = {}
        """UIDs of tasks by their names."""
        self.runs: dict[str, dict[str, KnownRun]] = defaultdict(dict)
        """By the name of the task."""
        self.open_by_hand: dict[str, ObservedRun] = {}
        """TaskRuns made by hand without an outcome, by their names."""
        self.keys: dict[tuple[str, str], str] = {}
        """For the name of a task and an idempotency key, the name of the TaskRun that came first."""
        self.on_task: Callable[[str], None] = lambda uid: None
        """Called with the UID of each task that has come, changed or gone."""
        self.on_decided: Callable[[str, Manifest], None] = lambda uid, decided: None
        """Called with the UID of each task that has a new version, and with what its status says of its ticks."""
        self.on_run: Callable[[str, str], None] = lambda task, run: None
        """Called with the names of task and TaskRun of each that has come or changed."""
        self._runner, self._variables = runner, variables

    def is_news(self, body: Manifest) -> bool:
        """Tell whether the spec of a ScheduledTask is yet to be read."""
        metadata = body["metadata"]
        known = self.tasks.get(metadata["uid"])
        return known is None or known.generation != (metadata.get("generation") or 0)

    def put_task(self, body: Manifest) -> None:
        """Take in a ScheduledTask."""
        metadata = body["metadata"]
        known, version = self.tasks.get(metadata["uid"]), str(metadata["resourceVersion"])
        if known is not None and (version == known.version or _older(version, known.version)):
            return
        generation, is_news = metadata.get("generation") or 0, self.is_news(body)
        if known is not None and not is_news:
            read = known.read
        else:
            read = self._read(metadata["name"], metadata["uid"], generation, body.get("spec") or {})
            if read.refused is not None or read.withheld is not None:
                read = self._with_accepted(read, known, body)
        task = KnownTask(body, read, self.daemon)
        if task.given_back and read.task is None:  # until it is gone it is what it was
            task.read = self._with_accepted(read, known, body)
        before = self.uids.get(task.name)
        self.tasks[task.uid] = task
        self.uids[task.name] = task.uid
        if before is not None and before != task.uid:
            self.tasks.pop(before, None)
            self.on_task(before)
        if (
            known is None
            or is_news
            or (known.mine, known.given_back)
            != (
                task.mine,
                task.given_back,
            )
        ):
            self.on_task(task.uid)
        if known is not None and (decided := (body.get("status") or {}).get("decided")):
            self.on_decided(task.uid, decided)

    def drop_task(self, name: str, uid: str) -> None:
        """Forget a ScheduledTask."""
        if self.tasks.pop(uid, None) is not None:
            if self.uids.get(name) == uid:
                del self.uids[name]
            self.on_task(uid)

    def put_run(self, body: Manifest) -> None:
        """Take in a TaskRun."""
        run = observe_run(body)
        known = self.runs[run.task_name].get(run.name)
        version = int(run.resource_version) if run.resource_version.isdecimal() else 0
        if known is not None and known.uid == run.uid and known.version >= version:
            return
        manual = run.trigger is Trigger.MANUAL
        finished_at = _seconds(run.completion_time or run.created_at) or 0
        own = run.daemon == self.daemon
        self.runs[run.task_name][run.name] = KnownRun(
            run.uid, version, _seconds(run.scheduled_at), run.outcome, manual, own, finished_at, run.phase is None
        )
        if manual and run.idempotency_key is not None and run.outcome is not Outcome.SKIPPED:
            self.keys.setdefault((run.task_name, run.idempotency_key), run.name)
        if manual and run.outcome is None and not run.deleting:
            self.open_by_hand[run.name] = run
        else:
            self.open_by_hand.pop(run.name, None)
        self.on_run(run.task_name, run.name)

    def drop_run(self, name: str, uid: str) -> None:
        """Forget a TaskRun."""
        self.open_by_hand.pop(name, None)
        for task, runs in self.runs.items():
            known = runs.get(name)
            if known is not None and known.uid == uid:
                del runs[name]
                for key in [key for key, first in self.keys.items() if key[0] == task and first == name]:
                    del self.keys[key]
                return

    def task_named(self, name: str) -> KnownTask | None:
        """Return a task by its name."""
        return self.tasks.get(self.uids.get(name, ""))

    def _read(self, name: str, uid: str, generation: int, raw: Mapping[str, Any]) -> Read:
        if raw.get("mode") != Mode.DAEMON.value:
            return Read(_OF_ANOTHER_MODE, None)
        return read_task(self.namespace, name, uid, generation, raw, self._runner, self._variables, self._slots)

    def _with_accepted(self, read: Read, known: KnownTask | None, body: Manifest) -> Read:
        """Return what a task says now together with what was accepted of it last."""
        accepted = known.read if known is not None and known.read.task is not None else self._accepted(body)
        return replace(read, task=accepted.task, template=accepted.template)

    def _accepted(self, body: Manifest) -> Read:
        """Return what was accepted last of a task, as its status tells; whoever accepted it may be gone."""
        metadata, status = body["metadata"], read_status(body.get("status") or {})
        text = None if status.decided is None else status.decided.spec
        if text is None or status.accepted_generation is None:
            return Read(_OF_ANOTHER_MODE, None)
        try:
            raw = json.loads(text)
        except ValueError:
            return Read(_OF_ANOTHER_MODE, None)
        return self._read(metadata["name"], metadata["uid"], status.accepted_generation, raw)


def read_status(raw: Manifest) -> ScheduledTaskStatus:
    """Read a task's status; of one that somebody spoilt, the parts that count."""
    for part in (raw, {key: raw[key] for key in _COUNT if key in raw}):
        try:
            return ScheduledTaskStatus.model_validate(part)
        except ValidationError:
            continue
    return ScheduledTaskStatus()


_HANDING_OVER = Refused(
    "HandingOver",
    "its ticks are about to change hands: where its runs must not overlap, once none is active; no tick is lost by it",
)

_OF_ANOTHER_MODE = ScheduledTaskSpec.model_construct(mode=Mode.CRON_JOB)
"""The spec of tasks of which nothing else matters here."""

_COUNT = ("counters", "countedRuns", "scheduledBy", "daemon", "watermark", "decided", "cronJob")


def _older(version: str, known: str) -> bool:
    return version.isdecimal() and known.isdecimal() and int(version) < int(known)


def _seconds(instant: datetime | None) -> int | None:
    return None if instant is None else int(instant.timestamp())
