"""ScheduledTask → what the engine runs. Pure, but for a look at functions, to learn whether they are async."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakValueDictionary

from timewright.daemon.modules import imported
from timewright.decisions.acceptance import Refused, accept
from timewright.decisions.place import Place, place_of
from timewright.decisions.policies_of_spec import NO_SLOTS, is_exclusive, policies_of
from timewright.decisions.timetable_of_spec import schedule_id_of, timing_of
from timewright.desired.cron_job import job_template, time_to_live
from timewright.desired.runner_image import RunnerImage
from timewright.desired.tick_job import tick_run_name
from timewright.engine.task import Task
from timewright.resources.definition import secret_variable
from timewright.resources.kinds import PythonCall
from timewright.resources.notify import NotifyRule
from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.resources.vocabulary import Mode
from timewright.runner.call import Call, is_async
from timewright.runner.definition import Definition
from timewright.runner.manifest import definition_from_spec
from timewright.storage.protocol import Retention
from timewright.timetable.schedule import Schedule
from timewright.timetable.spread import seed_of_task

LONGEST_SPEC = 65_536
"""Characters of a spec that a status keeps. Of a longer one a new leader knows only what is written in it now."""

LONGEST_TIMING = 4_000
"""Characters of a schedule that a status tells. Of a longer one, such as a calendar of years, it tells none."""


@dataclass(frozen=True, slots=True)
class ClusterTask(Task):
    """A task of a cluster. Its key is the UID of the ScheduledTask."""

    generation: int = 0
    timing: str | None = None
    """Everything that its spec says of when, unless that is very long."""
    spec_text: str | None = None
    """The spec itself as JSON, unless that is very long."""
    jobs_kept: tuple[int, int] = (3, 1)
    """How many succeeded and how many failed Jobs to keep."""
    notify: tuple[NotifyRule, ...] = ()
    """Whom to tell of its runs."""
    time_to_live: int | None = None
    """Seconds after which a finished Job may go by itself."""

    def run_id(self, scheduled_at: int) -> str:
        """Return the name of the run of a tick, its TaskRun and its Job."""
        return tick_run_name(self.name, scheduled_at)


@dataclass(frozen=True, slots=True)
class JobTemplate:
    """What the Jobs of a task are made of, kept as text: a thousand parsed ones would fill the memory."""

    text: bytes

    def parsed(self) -> dict[str, Any]:
        """Return it parsed anew."""
        parsed: dict[str, Any] = json.loads(self.text)
        return parsed


@dataclass(frozen=True, slots=True)
class Read:
    """What a ScheduledTask says, judged."""

    spec: ScheduledTaskSpec
    task: ClusterTask | None
    """What to run of it; where that is not what it says now, what was accepted before, if anything was."""
    refused: Refused | None = None
    """Why what it says now is refused, if it is."""
    withheld: Refused | None = None
    """Why what it says now, which is valid, cannot run in this process, if it cannot."""
    template: JobTemplate | None = None
    """What its Jobs are made of, where its runs are Jobs; the caller makes the work of `task` of it."""


def read_task(
    namespace: str,
    name: str,
    uid: str,
    generation: int,
    raw: Mapping[str, Any],
    runner: RunnerImage,
    variables: Container[str],
    slots: Mapping[str, int] = NO_SLOTS,
) -> Read:
    """Judge the spec of a ScheduledTask of mode Daemon, and return what to run of it.

    `variables` are the names of those that the process has. A request whose secret is not among them is withheld: its
    runs would fail, and the next Pod has it. `slots` tells of some locks how many runs may hold them at once.
    """
    seed = seed_of_task(namespace, name)
    verdict = accept(dict(raw), seed=seed)
    if isinstance(verdict, Refused):
        # Of what cannot be read, this much is known: it is to be decided by a daemon.
        daemon = raw.get("daemon") if isinstance(raw.get("daemon"), str) else None
        return Read(verdict.spec or ScheduledTaskSpec.model_construct(mode=Mode.DAEMON, daemon=daemon), None, verdict)
    spec = verdict.spec
    template = None
    if place_of(spec) is Place.PROCESS:
        missing = _missing_secret(spec, variables)
        if missing is not None:
            return Read(spec, None, withheld=missing)
        definition = _definition(name, namespace, spec)
    else:
        template = JobTemplate(json.dumps(job_template(namespace, name, spec, runner), separators=(",", ":")).encode())
        definition = Definition(name, namespace, "job", [], spec.parameters, is_manifest=True)
    timing, spec_text = timing_of(spec), json.dumps(raw, separators=(",", ":"))
    task = ClusterTask(
        definition=definition,
        key=uid,
        timetable=_shared(verdict.schedule, timing, seed),
        schedule_id=schedule_id_of(spec, seed=seed),
        policies=policies_of(spec, slots),
        suspended=spec.suspend,
        exclusive=is_exclusive(spec),
        retention=Retention(
            succeeded_runs=spec.successful_runs_history_limit,
            other_runs=spec.failed_runs_history_limit,
            max_age=spec.runs_history_max_age_seconds,
        ),
        generation=generation,
        timing=timing if len(timing) <= LONGEST_TIMING else None,
        spec_text=spec_text if len(spec_text) <= LONGEST_SPEC else None,
        jobs_kept=(spec.successful_jobs_history_limit, spec.failed_jobs_history_limit),
        notify=tuple(spec.notify),
        time_to_live=time_to_live(spec),
        jitter=spec.jitter_seconds or 0,
    )
    return Read(spec, task, template=template)


_schedules: WeakValueDictionary[tuple[str, str | None], Schedule] = WeakValueDictionary()


def _shared(schedule: Schedule, timing: str, seed: str) -> Schedule:
    """Return one schedule for all tasks that say the same of when: thousands of them often say `*/5 * * * *`."""
    is_spread = any("H" in expression for expression in schedule.expressions)
    return _schedules.setdefault((timing, seed if is_spread else None), schedule)


def _missing_secret(spec: ScheduledTaskSpec, variables: Container[str]) -> Refused | None:
    """Tell which secret of a request this process does not have, if there is one."""
    for index, reference in () if spec.http is None else spec.http.secrets():
        if secret_variable(reference.name, reference.key) not in variables:
            text = (
                f"spec.http.headers[{index}].valueFrom: key {reference.key!r} of Secret {reference.name!r} is not in "
                "this Pod of the daemon. The operator adds it and replaces the Pods, which takes a moment; if it stays "
                "so, see whether there is such a key, and then restart the daemon's Deployment"
            )
            return Refused("SecretNotInPod", text, spec)
    return None


def _definition(name: str, namespace: str, spec: ScheduledTaskSpec) -> Definition:
    definition = definition_from_spec(name, namespace, spec)
    environment = {str(each.get("name")): str(each.get("value") or "") for each in spec.env or ()}
    if environment:
        return replace(definition, environment=environment)
    if spec.python is not None:
        function = _async_function(spec.python)
        if function is not None:
            call = Call(function, spec.python.args, spec.python.kwargs, reference=spec.python.call)
            return replace(definition, kind="call", work=call)
    return definition


def _async_function(call: PythonCall) -> Any:
    """Return the function that a task calls if it is async, and so can run on the event loop of this process.

    All others, and those of modules that are not imported here, run in a process of their own, where they can be ended.
    """
    if call.setup is not None:
        return None
    module_name, _, path = call.call.partition(":")
    found: Any = imported(module_name)
    if found is None:
        return None
    try:
        for part in path.split("."):
            found = getattr(found, part)
    except Exception:  # noqa: BLE001 - an attribute may raise anything; the run itself will tell
        return None
    return found if is_async(found) else None
