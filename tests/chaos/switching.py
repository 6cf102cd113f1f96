"""Tasks whose mode is changed while they are due, both ways; an operator and a daemon run beside, and may be killed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.audit.evidence import seconds
from tests.audit.recorder import TASKS
from tests.chaos.load import EVERY_MINUTE, KEPT, QUICK, traced_command
from tests.chaos.people import MERGE
from tests.chaos.stage import UNJUDGED_SECONDS, Stage
from tests.chaos.stand_ins import POD_SECONDS
from tests.integration.operator_process import OperatorProcess
from tests.objects import eventually, job_template

Manifest = dict[str, Any]

TASKS_OF_A_KIND = 5

MODES = ("CronJob", "Daemon")

_AROUND_SECONDS = 8.0
_TICK_SECONDS = 60


def tasks(sink: str) -> list[Manifest]:
    """Return tasks that both modes can run, each minute, half of them in either. Their first tick comes later."""
    del sink
    while not 2 < time.time() % _TICK_SECONDS < 45:
        time.sleep(0.5)
    lasting = job_template()
    lasting["spec"]["template"]["metadata"] = {"annotations": {POD_SECONDS: "20"}}
    what: dict[str, Manifest] = {
        "job": {"jobTemplate": job_template()},
        "call": {"python": QUICK},
        "command": {"command": traced_command()},
        "forbid": {"jobTemplate": lasting, "concurrencyPolicy": "Forbid"},
    }
    return [
        {
            "apiVersion": "timewright.dev/v1alpha1",
            "kind": "ScheduledTask",
            "metadata": {"name": name},
            "spec": {
                "mode": _resting_mode(name),
                "schedule": EVERY_MINUTE,
                "timeZone": "UTC",
                **KEPT,
                **spec,
            },
        }
        for kind, spec in what.items()
        for name in (f"{kind}-{number}" for number in range(TASKS_OF_A_KIND))
    ]


def switches(stage: Stage, times: int, operator: OperatorProcess | None = None) -> int:
    """Change the mode of every task, to and fro, around the minutes at which they are due; end with half in either.

    With an operator, kill it and the daemon that leads by turns while tasks change hands. Returns how many kills.
    """
    modes = {each["metadata"]["name"]: each["spec"]["mode"] for each in stage.recorder.tasks()}
    kills = 0
    _wait_for_hands(stage, modes)
    for number in range(times):
        minute = _next_minute()
        changes = sorted((minute + random.uniform(-_AROUND_SECONDS, _AROUND_SECONDS / 2), name) for name in modes)
        # Some people change their minds at once.
        changes += [(at + random.uniform(0.1, 4.0), name) for at, name in changes if random.random() < 0.2]
        killer = None
        if operator is not None:
            at = minute + random.uniform(-_AROUND_SECONDS, _AROUND_SECONDS)
            killer = threading.Thread(target=_kill, args=(stage, operator, at, number % 2 == 0))
            killer.start()
            kills += 1
        for at, name in sorted(changes):
            time.sleep(max(0.0, at - time.time()))
            modes[name] = "CronJob" if modes[name] == "Daemon" else "Daemon"
            _switch(stage, name, modes[name])
        if killer is not None:
            killer.join()
        _wait_for_hands(stage, modes)
    _switch_all(stage, modes, _resting_mode)
    _wait_for_tick(stage)
    return kills


def departures(stage: Stage, times: int) -> int:
    """Kill every replica of the daemon around a minute and start none, then give its tasks to CronJobs, and back.

    Returns how many times.
    """
    modes = {each["metadata"]["name"]: each["spec"]["mode"] for each in stage.recorder.tasks()}
    _wait_for_hands(stage, modes)
    for _ in range(times):
        at = _next_minute() + random.uniform(-2.0, _AROUND_SECONDS)
        time.sleep(max(0.0, at - time.time()))
        for each in stage.replicas:
            if each.running:
                each.kill()
        _switch_all(stage, modes, lambda name: "CronJob")
        stage.replica()
        _switch_all(stage, modes, _resting_mode)
    _wait_for_tick(stage)
    return times


def _resting_mode(name: str) -> str:
    return MODES[int(name.rpartition("-")[2]) % 2]


def _switch_all(stage: Stage, modes: Manifest, mode_of: Callable[[str], str]) -> None:
    """Give every task the mode that goes with its name, and wait until it is with whom it is to be."""
    for name in modes:
        modes[name] = mode_of(name)
        _switch(stage, name, modes[name])
    _wait_for_hands(stage, modes)


def _next_minute() -> float:
    return time.time() // _TICK_SECONDS * _TICK_SECONDS + _TICK_SECONDS


def _switch(stage: Stage, name: str, mode: str) -> None:
    stage.proxy.ask("PATCH", f"{TASKS.format(stage.name)}/{name}", {"spec": {"mode": mode}}, MERGE)


def _kill(stage: Stage, operator: OperatorProcess, at: float, is_daemon: bool) -> None:
    time.sleep(max(0.0, at - time.time()))
    if is_daemon:
        leader = stage.wait_leader()
        leader.kill()
        stage.replica()
    else:
        operator.kill()
        operator.start()


def _wait_for_hands(stage: Stage, modes: Manifest) -> None:
    def elsewhere() -> list[Manifest]:
        return [each for each in stage.recorder.tasks() if _decided_by(each) != modes[each["metadata"]["name"]]]

    try:
        eventually(lambda: not elsewhere())
    except AssertionError as error:
        told = [f"{each['metadata']['name']}: {each['spec']['mode']}, {each.get('status')}" for each in elsewhere()]
        logs = [each.log()[-3000:] for each in stage.replicas]
        raise AssertionError("not with whom they are to be:", *told, *logs) from error


def _wait_for_tick(stage: Stage) -> None:
    """Wait until whoever decides each task has started the next tick, that is one to be judged, and it has ended.

    The operator may go with the faults, and nobody else records how a CronJob's Jobs end.
    """
    minute = _next_minute()
    time.sleep(minute - time.time())
    eventually(lambda: all(_last_tick(each) >= minute for each in stage.recorder.tasks()))
    time.sleep(max(0.0, minute + UNJUDGED_SECONDS + 1 - time.time()))
    eventually(lambda: not any((each.get("status") or {}).get("activeCount") for each in stage.recorder.tasks()))


def _last_tick(task: Manifest) -> int:
    last = (task.get("status") or {}).get("lastTick")
    return seconds(last) if last else 0


def _decided_by(task: Manifest) -> str | None:
    status = task.get("status") or {}
    decided: str | None = status.get("scheduledBy") or ("CronJob" if "cronJob" in status else None)
    return decided
