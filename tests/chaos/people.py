"""What people do while things break: they run tasks by hand, edit them, pause them, and delete them."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.audit.evidence import Edit, seconds
from tests.audit.recorder import TASK_RUNS, TASKS, ApiProxy
from tests.chaos.load import QUICK, daemon_task
from tests.objects import run

Manifest = Mapping[str, Any]
MERGE = "application/merge-patch+json"

SCHEDULES = ("*/2 * * * * *", "*/3 * * * * *", "* * * * *", "1-59/2 * * * * *")

BEFORE_SECONDS = 45.0
"""How much older than an edit the ticks may be that are decided by it: as old as the longest time without a leader."""

AFTER_SECONDS = 12.0
"""How long a leader that hears nothing may go on with what a task said before."""

_RUN_SECONDS = 0.5
_EDIT_SECONDS = 8.0
_COME_AND_GO_SECONDS = 3.0
_NAME = "comes-and-goes"


class People:
    """Several at once, each at one thing. What the API server does not answer they do again."""

    def __init__(self, proxy: ApiProxy, namespace: str) -> None:
        self.edits: list[Edit] = []
        self.newborn: set[tuple[str, int]] = set()
        """Names of tasks with the seconds, since 1970, in which these were created, in others' place."""
        self._proxy, self._namespace = proxy, namespace
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, *, edits: bool = True) -> None:
        """Begin; without `edits` they only run tasks by hand."""
        self._specs = {each["metadata"]["name"]: each["spec"] for each in self._tasks()}
        # The auditor takes what was never edited for active.
        self.edits += [Edit(name, spec, spec, 0.0, 0.0) for name, spec in self._specs.items() if spec.get("suspend")]
        jobs: list[Callable[[], None]] = [self._run_by_hand]
        if edits:
            jobs += [self._edit, self._come_and_go]
        self._threads = [threading.Thread(target=each, daemon=True) for each in jobs]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, with everything done that was begun."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _tasks(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._proxy.ask("GET", TASKS.format(self._namespace))["items"]
        return found

    def _tasks_if_there(self) -> list[dict[str, Any]]:
        try:
            return [each for each in self._tasks() if each["metadata"]["name"] in self._specs]
        except OSError:
            return [{}]

    def _run_by_hand(self) -> None:
        numbers = itertools.count()
        path = TASK_RUNS.format(self._namespace)
        while not self._stop.wait(random.uniform(0.5, 1.5) * _RUN_SECONDS):
            name = random.choice([*self._specs, "asleep", "asleep"])
            body = run(f"hand-{next(numbers)}", name)
            self._until_done(lambda body=body: self._proxy.ask("POST", path, body))

    def _edit(self) -> None:
        # Of a task that was edited before a daemon has said that it decides it, the operator says who does.
        while not self._stop.wait(_EDIT_SECONDS / 8):
            if all((each.get("status") or {}).get("scheduledBy") for each in self._tasks_if_there()):
                break
        names = [name for name in self._specs if name.startswith(("edited-", "paused-"))]
        for name in itertools.cycle(names):
            if self._stop.wait(random.uniform(0.5, 1.5) * _EDIT_SECONDS):
                return
            before = self._specs[name]
            if name.startswith("paused-"):
                change: dict[str, Any] = {"suspend": not before.get("suspend")}
            else:
                change = {"schedule": random.choice([each for each in SCHEDULES if each != before["schedule"]])}
            self._specs[name] = after = {**before, **change}
            path = f"{TASKS.format(self._namespace)}/{name}"
            began = time.time()
            self._until_done(lambda path=path, change=change: self._proxy.ask("PATCH", path, {"spec": change}, MERGE))
            self.edits.append(Edit(name, before, after, began - BEFORE_SECONDS, time.time() + AFTER_SECONDS))

    def _come_and_go(self) -> None:
        path = TASKS.format(self._namespace)
        while not self._stop.is_set():
            self._until_done(lambda: self._create(path))
            self._stop.wait(random.uniform(0.1, 2.0) * _COME_AND_GO_SECONDS)
            self._until_done(lambda: self._proxy.ask("DELETE", f"{path}/{_NAME}"))
            self._stop.wait(random.uniform(0.0, 0.5) * _COME_AND_GO_SECONDS)

    def _create(self, path: str) -> None:
        made = self._proxy.ask("POST", path, daemon_task(_NAME, python=QUICK))
        self.newborn.add((_NAME, seconds(made["metadata"]["creationTimestamp"])))

    def _until_done(self, ask: Callable[[], object]) -> None:
        """Make a request until it is answered; one that was carried out before although nobody said so is refused."""
        while True:
            try:
                ask()
            except OSError as error:
                if any(code in str(error) for code in (" 404 ", " 409 ")):
                    return
                time.sleep(0.5)
            else:
                return
