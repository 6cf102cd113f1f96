"""May a TaskRun made by hand start now?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.decisions.seen import NOON, at, done_job, finished_run, job, run
from timewright.decisions.manual import Refuse, Start, admit
from timewright.decisions.observed import ObservedJob, ObservedRun
from timewright.decisions.parameters import resolve_parameters
from timewright.resources.kinds import Parameter
from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.resources.vocabulary import Outcome, Reason, Trigger

ACTIVE = job("active")


def task(policy: str = "Allow", **fields: Any) -> ScheduledTaskSpec:
    return ScheduledTaskSpec.model_validate({"concurrencyPolicy": policy, **fields})


@pytest.mark.parametrize("policy", ["Allow", "Forbid", "Replace"])
@pytest.mark.parametrize("override", [False, True])
@pytest.mark.parametrize(
    "others",
    [
        [],
        [done_job(name="done")],
        [job("deleted", deleted=True)],
        [job("deleting", deleting=True)],
    ],
    ids=["nothing", "finished", "deleted", "going"],
)
def test_with_no_active_run_it_starts_under_every_policy(
    policy: str, override: bool, others: list[ObservedJob]
) -> None:
    assert admit(run("now", override=override), task(policy), others, []) == Start({})


@pytest.mark.parametrize(
    ("policy", "override", "decision"),
    [
        ("Allow", False, Start({})),
        ("Allow", True, Start({})),
        ("Forbid", True, Start({})),
        ("Replace", False, Start({}, cancel=(ACTIVE,))),
        ("Replace", True, Start({})),
    ],
)
def test_beside_an_active_run_it_obeys_the_policy_or_overrides_it(policy: str, override: bool, decision: Start) -> None:
    assert admit(run("now", override=override), task(policy), [ACTIVE, done_job(name="done")], []) == decision


def test_forbid_names_the_active_run_and_both_ways_out() -> None:
    refusal = admit(run("now"), task("Forbid"), [ACTIVE], [])

    assert isinstance(refusal, Refuse)
    assert (refusal.outcome, refusal.reason) == (Outcome.SKIPPED, Reason.OVERLAP)
    assert all(part in refusal.message for part in ("active", "Forbid", "wait", "override: true"))


def test_an_active_job_made_for_another_task_run_is_named_by_that_task_run() -> None:
    refusal = admit(run("now"), task("Forbid"), [job("earlier-1a2b3c4d", run_name="earlier")], [])

    assert isinstance(refusal, Refuse)
    assert refusal.message.startswith("earlier ")


def test_replace_cancels_every_active_run() -> None:
    others = [job("a"), done_job(name="b"), job("c")]

    decision = admit(run("now"), task("Replace"), others, [])

    assert isinstance(decision, Start)
    assert [each.name for each in decision.cancel] == ["a", "c"]


# Idempotency


def keyed(name: str, minutes: float = 0, **changes: Any) -> ObservedRun:
    return run(name, idempotency_key="k", created_at=at(minutes), **changes)


def starters(runs: list[ObservedRun]) -> list[str]:
    """Return which of these runs may start, each asked in the present state."""
    return [each.name for each in runs if isinstance(admit(each, task(), [], runs), Start)]


def test_of_runs_with_one_key_only_the_first_made_starts() -> None:
    assert starters([keyed("b", 1), keyed("c", 0), keyed("a", 2)]) == ["c"]


def test_of_runs_made_in_the_same_second_only_one_starts() -> None:
    assert starters([keyed("b"), keyed("a"), keyed("c")]) == ["a"]


@pytest.mark.parametrize("dealt_with", [{"job_uid": "j"}, {"outcome": Outcome.SUCCEEDED}, {"outcome": Outcome.FAILED}])
def test_one_that_has_started_stays_the_first_whatever_else_is_made_in_that_second(dealt_with: dict[str, Any]) -> None:
    started = keyed("b", **dealt_with)
    late = keyed("a")

    refusal = admit(late, task(), [], [started, late])

    assert isinstance(refusal, Refuse)
    assert (refusal.outcome, refusal.reason) == (Outcome.SKIPPED, Reason.DUPLICATE_KEY)
    assert "'b'" in refusal.message
    assert "'k'" in refusal.message


def test_a_skipped_run_does_not_use_its_key_up() -> None:
    assert starters([keyed("early", -5, outcome=Outcome.SKIPPED), keyed("now")])[-1] == "now"


def test_another_key_or_none_is_no_rival() -> None:
    others = [run("a", idempotency_key="other", created_at=at(-1)), run("b", created_at=at(-1))]

    assert isinstance(admit(keyed("now"), task(), [], others), Start)


def test_a_run_of_the_schedule_is_no_rival() -> None:
    tick = keyed("tick", -1, trigger=Trigger.SCHEDULE)

    assert isinstance(admit(keyed("now"), task(), [], [tick]), Start)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("kl")), min_size=1, max_size=8), st.randoms())
def test_in_whatever_order_runs_are_dealt_with_each_key_starts_once(rows: list[tuple[int, str]], random: Any) -> None:
    runs = {
        f"run-{number}": run(f"run-{number}", created_at=at(minutes / 60), idempotency_key=key)
        for number, (minutes, key) in enumerate(rows)
    }
    started: list[str] = []
    names = list(runs)
    random.shuffle(names)
    for name in names:
        known = list(runs.values())
        if isinstance(admit(runs[name], task(), [], known), Start):
            runs[name] = replace(runs[name], job_uid=f"job of {name}")
            started.append(rows[int(name.removeprefix("run-"))][1])
        else:
            runs[name] = replace(runs[name], outcome=Outcome.SKIPPED)

    assert sorted(started) == sorted(set(started))


# Parameters

DECLARED = [
    Parameter.model_validate(each)
    for each in (
        {"name": "day", "default": "today", "allowedValues": ["today", "all"]},
        {"name": "count", "type": "integer"},
        {"name": "rate", "type": "number", "default": 0.5},
        {"name": "dry", "type": "boolean", "default": False},
    )
]


@pytest.mark.parametrize(
    ("given_values", "expected"),
    [
        ({"count": 3}, {"day": "today", "count": 3, "rate": 0.5, "dry": False}),
        ({"count": 0, "day": "all", "rate": 2, "dry": True}, {"day": "all", "count": 0, "rate": 2, "dry": True}),
        ({"count": 3, "day": None}, {"day": "today", "count": 3, "rate": 0.5, "dry": False}),
    ],
)
def test_values_given_and_defaults_make_all_parameters_of_a_run(
    given_values: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert resolve_parameters(DECLARED, given_values) == expected


@pytest.mark.parametrize(
    ("given_values", "told"),
    [
        ({}, ["spec.parameters.count", "required", "give a value"]),
        ({"count": None}, ["spec.parameters.count", "required"]),
        ({"count": 3, "colour": "red"}, ["spec.parameters.colour", "no such parameter", "day, count, rate, dry"]),
        ({"count": "3"}, ["spec.parameters.count", "'3'", "integer", "without quotes"]),
        ({"count": True}, ["spec.parameters.count", "True", "integer"]),
        ({"count": 3.5}, ["spec.parameters.count", "3.5", "integer"]),
        ({"count": 3, "rate": "fast"}, ["spec.parameters.rate", "'fast'", "number"]),
        ({"count": 3, "dry": 1}, ["spec.parameters.dry", "1", "boolean", "true or false"]),
        ({"count": 3, "day": ["all"]}, ["spec.parameters.day", "['all']", "string"]),
        ({"count": 3, "day": "never"}, ["spec.parameters.day", "'never'", "choose one of 'today', 'all'"]),
    ],
)
def test_a_wrong_parameter_is_told_by_name_value_and_remedy(given_values: dict[str, Any], told: list[str]) -> None:
    refusal = admit(
        run("now", parameters=given_values),
        task().model_copy(update={"parameters": DECLARED}),
        [ACTIVE],
        [],
    )

    assert isinstance(refusal, Refuse)
    assert (refusal.outcome, refusal.reason) == (Outcome.FAILED, Reason.INVALID_PARAMETERS)
    assert all(part in refusal.message for part in told), refusal.message


def test_a_task_without_parameters_takes_none() -> None:
    text = resolve_parameters([], {"a": 1})

    assert isinstance(text, str)
    assert "declares none" in text


def test_a_finished_run_of_another_second_keeps_its_key() -> None:
    done = replace(finished_run("done"), idempotency_key="k", created_at=NOON)

    assert isinstance(admit(keyed("now", 10), task(), [], [done]), Refuse)
