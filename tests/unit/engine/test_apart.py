"""Tasks whose function is not to run on the event loop any more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.unit.engine.harness import NOON, QUIET, task_of
from timewright.decisions.policies import Policies
from timewright.engine.apart import Apart
from timewright.engine.gate import Gate
from timewright.engine.session import begin
from timewright.engine.task import Task
from timewright.runner.call import Call
from timewright.runner.definition import Definition
from timewright.storage.records import RunRecord
from timewright.storage.sqlite import SqliteStore


async def function() -> None:
    """Do nothing."""


def test_it_is_called_in_a_process_of_its_own_until_it_is_edited() -> None:
    apart, known = Apart(), task_of(function)
    assert apart.as_it_runs(known) is known

    apart.put(known)

    there = apart.as_it_runs(known)
    assert isinstance(there.definition.work, Call)
    assert there.definition.work.isolated
    assert not there.is_light
    assert apart.as_it_runs(there) is there
    suspended = apart.as_it_runs(replace(known, suspended=True))
    assert suspended.suspended
    assert suspended.definition is there.definition
    edited = task_of(function)
    assert apart.as_it_runs(edited) is edited
    assert apart.as_it_runs(known) is known


def test_others_and_what_is_no_function_stay_as_they_are() -> None:
    apart, command = Apart(), Task(Definition("other", "shop", "command", ["true"]), "other", None, "", Policies())
    apart.put(task_of(function))
    apart.put(command)
    assert apart.as_it_runs(command) is command


async def test_what_waits_for_its_second_is_called_there_as_well_unless_it_was_edited(tmp_path: Path) -> None:
    held, edited, gate = task_of(function), task_of(function), Gate()
    async with begin(SqliteStore(tmp_path / "state.db"), QUIET, print) as session:
        executor = session.executor
        for number, known in enumerate((held, edited)):
            executor.start(known, RunRecord(known.key, f"run-{number}", NOON), gate=gate)
        executor.set_apart(held)
        waiting = {run_id: running.task for (_, run_id), running in gate.waiting.items()}
        executor.abandon(gate)
    assert {run_id: task.is_light for run_id, task in waiting.items()} == {"run-0": False, "run-1": True}
