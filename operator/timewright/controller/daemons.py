"""What the operator knows of TaskDaemons, and of the tasks that concern each."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from timewright.resources.kinds import SecretKeyReference
from timewright.resources.notify import CHANNELS
from timewright.resources.task_daemon import DEFAULT_DAEMON
from timewright.resources.vocabulary import Mode

Manifest = dict[str, Any]

_NONE: frozenset[Any] = frozenset()


@dataclass(frozen=True, slots=True)
class DaemonKey:
    """A TaskDaemon, existing or not."""

    namespace: str
    name: str


class DaemonRecord:
    """A TaskDaemon, with spec and status as compact JSON."""

    __slots__ = ("_text", "deleting", "generation", "labels", "name", "uid", "version")

    def __init__(self, body: Manifest, version: int) -> None:
        metadata = body["metadata"]
        self.name: str = metadata["name"]
        self.uid: str = metadata["uid"]
        self.version = version
        self.generation: int = metadata.get("generation") or 0
        self.labels: dict[str, str] = metadata.get("labels") or {}
        self.deleting = "deletionTimestamp" in metadata
        self._text = json.dumps([body.get("spec") or {}, body.get("status") or {}], separators=(",", ":")).encode()

    def parts(self) -> tuple[Manifest, Manifest]:
        """Return spec and status, parsed anew."""
        spec, status = json.loads(self._text)
        return spec, status


@dataclass(frozen=True, slots=True)
class Concern:
    """Which daemons a task concerns: the one that is to decide its ticks, and the one that does."""

    daemons: frozenset[str] = _NONE
    secrets: frozenset[tuple[str, str]] = _NONE
    """Names and keys of the Secrets that its runs and its notices take from the process."""


NO_CONCERN = Concern()


def concern_of(body: Manifest) -> Concern:
    """Read a ScheduledTask's. What cannot be read concerns none."""
    spec, status = body.get("spec") or {}, body.get("status") or {}
    wanted = spec.get("mode") == Mode.DAEMON.value and not (spec.get("app") or {}).get("work")
    held = status.get("scheduledBy") == Mode.DAEMON.value and not status.get("deployment")
    if not (wanted or held):
        return NO_CONCERN
    named = spec.get("daemon") or DEFAULT_DAEMON
    daemons = {named} if wanted else set()
    if held:
        daemons.add(status.get("daemon") or named)
    secrets = _secrets(spec) | _secrets(_accepted_before(body))
    return Concern(frozenset(daemons), secrets or _NONE)


def _secrets(spec: Manifest) -> frozenset[tuple[str, str]]:
    headers = list((spec.get("http") or {}).get("headers") or [])
    references = []
    for rule in spec.get("notify") or []:
        headers += (rule.get("webhook") or {}).get("headers") or []
        references += [((rule.get(channel) or {}).get("urlFrom") or {}).get("secretKeyRef") for channel in CHANNELS]
    references += [(each.get("valueFrom") or {}).get("secretKeyRef") for each in headers]
    return frozenset((each["name"], each["key"]) for each in references if each)


def _accepted_before(body: Manifest) -> Manifest:
    """Return the spec that goes on in the place of the present one, where a daemon cannot run that."""
    status = body.get("status") or {}
    text = (status.get("decided") or {}).get("spec")
    if text is None or status.get("acceptedGeneration") == (body.get("metadata") or {}).get("generation"):
        return {}
    try:
        spec = json.loads(text)
    except ValueError:
        return {}
    return spec if isinstance(spec, dict) else {}


class Daemons:
    """The TaskDaemons, and the tasks that concern them."""

    def __init__(self) -> None:
        self.records: dict[DaemonKey, DaemonRecord] = {}
        self._tasks: dict[DaemonKey, dict[object, Concern]] = defaultdict(dict)
        self._news: set[DaemonKey] = set()

    def put(self, key: DaemonKey, record: DaemonRecord) -> bool:
        """Take in a TaskDaemon; tell whether that was news."""
        known = self.records.get(key)
        if known is not None and known.uid == record.uid and known.version >= record.version:
            return False
        self.records[key] = record
        return True

    def drop(self, key: DaemonKey, uid: str) -> None:
        """Forget a TaskDaemon, if it is of that UID."""
        known = self.records.get(key)
        if known is not None and known.uid == uid:
            del self.records[key]

    def concern(self, namespace: str, task: object, before: Concern, after: Concern) -> None:
        """Take in that a task concerns other daemons than before."""
        if before == after:
            return
        for name in before.daemons | after.daemons:
            key = DaemonKey(namespace, name)
            self._news.add(key)
            if name in after.daemons:
                self._tasks[key][task] = after
            elif self._tasks[key].pop(task, None) is not None and not self._tasks[key]:
                del self._tasks[key]

    def take_news(self) -> set[DaemonKey]:
        """Return the daemons whose tasks have changed since this was last asked."""
        news, self._news = self._news, set()
        return news

    def has_tasks(self, key: DaemonKey) -> bool:
        """Tell whether any task concerns a daemon."""
        return key in self._tasks

    def secrets(self, key: DaemonKey) -> list[SecretKeyReference]:
        """Return the keys of Secrets that the tasks of a daemon take from its process."""
        found = {pair for each in self._tasks.get(key, {}).values() for pair in each.secrets}
        return [SecretKeyReference(name=name, key=secret) for name, secret in sorted(found)]

    def in_namespace(self, namespace: str) -> bool:
        """Tell whether there is any TaskDaemon in a namespace."""
        return any(key.namespace == namespace for key in self.records)

    def keys(self) -> Iterable[DaemonKey]:
        """Return the daemons that there are or that a task names."""
        return {*self.records, *self._tasks}
