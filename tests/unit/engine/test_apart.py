"""Tasks whose function is not to run on the event loop any more."""

from __future__ import annotations

from dataclasses import replace

from timewright.decisions.policies import Policies
from timewright.engine.apart import Apart
from timewright.engine.task import Task
from timewright.runner.call import Call
from timewright.runner.definition import Definition


async def function() -> None:
    """Do nothing."""


def task(key: str = "key") -> Task:
    return Task(Definition("task", "shop", "call", Call(function)), key, None, "", Policies())


def test_it_is_called_in_a_process_of_its_own_until_it_is_edited() -> None:
    apart, known = Apart(), task()
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
    edited = task()
    assert apart.as_it_runs(edited) is edited
    assert apart.as_it_runs(known) is known


def test_others_and_what_is_no_function_stay_as_they_are() -> None:
    apart, command = Apart(), Task(Definition("other", "shop", "command", ["true"]), "other", None, "", Policies())
    apart.put(task())
    apart.put(command)
    assert apart.as_it_runs(command) is command
