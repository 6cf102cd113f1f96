"""Who decides the ticks of a task: exactly one at any time, whatever was edited."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timewright.decisions.ownership import (
    DEPLOYMENT,
    NATIVE,
    Decider,
    is_mine,
    is_to_be_given_back,
    present,
    wanted,
)
from timewright.decisions.place import Place, place_of
from timewright.resources.scheduled_task import ScheduledTaskSpec, ScheduledTaskStatus
from timewright.resources.vocabulary import Mode

DEFAULT = Decider(Mode.DAEMON, "default")
NIGHT = Decider(Mode.DAEMON, "night")
APP = {"app": {"run": ["run"], "work": ["work"]}, "image": "shop"}


def spec(**fields: Any) -> ScheduledTaskSpec:
    kind = {} if "app" in fields else {"schedule": "* * * * *", "command": ["true"]}
    return ScheduledTaskSpec.model_validate({**kind, **fields})


def status(**fields: Any) -> ScheduledTaskStatus:
    return ScheduledTaskStatus.model_validate(fields)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, NATIVE),
        ({"daemon": "night"}, NATIVE),
        ({"mode": "Daemon"}, DEFAULT),
        ({"mode": "Daemon", "daemon": "night"}, NIGHT),
        ({"mode": "Daemon", **APP}, DEPLOYMENT),
        ({**APP}, NATIVE),
        ({"mode": "Daemon", "app": {"run": ["run"]}, "image": "shop"}, DEFAULT),
    ],
)
def test_the_spec_says_who_is_to_decide(fields: dict[str, Any], expected: Decider) -> None:
    assert wanted(spec(**fields)) == expected


CRON_JOB = {"name": "backup", "generation": 1}


@pytest.mark.parametrize(
    ("fields", "told", "generation", "expected"),
    [
        ({}, {}, 1, NATIVE),
        ({"mode": "Daemon"}, {}, 1, DEFAULT),
        ({"mode": "Daemon", **APP}, {}, 1, None),
        ({"mode": "Daemon"}, {}, 2, None),
        ({}, {}, 2, None),
        ({"mode": "Daemon"}, {"cronJob": CRON_JOB}, 2, NATIVE),
        ({"mode": "Daemon"}, {"cronJob": CRON_JOB, "scheduledBy": "Daemon"}, 2, DEFAULT),
        ({"mode": "Daemon", "daemon": "night"}, {"scheduledBy": "Daemon", "daemon": "default"}, 3, DEFAULT),
        ({}, {"scheduledBy": "Daemon", "daemon": "night"}, 3, NIGHT),
        ({"mode": "Daemon"}, {"scheduledBy": "CronJob"}, 3, NATIVE),
        ({"mode": "Daemon"}, {"scheduledBy": "Daemon", "deployment": {"name": "x"}}, 3, DEPLOYMENT),
    ],
)
def test_the_status_says_who_decides(
    fields: dict[str, Any], told: dict[str, Any], generation: int, expected: Decider | None
) -> None:
    assert present(spec(**fields), status(**told), generation) == expected


specs = st.sampled_from(
    [spec(), spec(mode="Daemon"), spec(mode="Daemon", daemon="night"), spec(mode="Daemon", **APP), spec(**APP)]
)
statuses = st.builds(
    lambda by, daemon, deployment, cron_job: status(
        **{
            key: value
            for key, value in (
                ("scheduledBy", by),
                ("daemon", daemon),
                ("deployment", deployment),
                ("cronJob", cron_job),
            )
            if value is not None
        }
    ),
    st.sampled_from([None, "CronJob", "Daemon"]),
    st.sampled_from([None, "default", "night"]),
    st.sampled_from([None, {"name": "x"}]),
    st.sampled_from([None, CRON_JOB]),
)


@given(specs, statuses, st.integers(1, 3))
def test_no_two_daemons_decide_and_none_beside_a_cron_job(
    said: ScheduledTaskSpec, told: ScheduledTaskStatus, generation: int
) -> None:
    now = present(said, told, generation)
    deciding = [name for name in ("default", "night") if is_mine(name, said, told, generation)]
    giving = [name for name in ("default", "night") if is_to_be_given_back(name, said, told, generation)]

    assert len(deciding) + len(giving) <= 1
    assert not (deciding or giving) or now not in (None, NATIVE, DEPLOYMENT)
    assert not deciding or now == wanted(said)


def test_a_spec_that_was_refused_changes_no_hands() -> None:
    beyond_native, told = spec(), status(scheduledBy="Daemon", daemon="default")

    assert is_to_be_given_back("default", beyond_native, told, 2)
    assert not is_to_be_given_back("default", beyond_native, told, 2, accepted=False)
    assert is_mine("default", beyond_native, told, 2, accepted=False)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({}, Place.JOB),
        ({"mode": "Daemon"}, Place.PROCESS),
        ({"mode": "Daemon", "env": [{"name": "A", "value": "1"}]}, Place.PROCESS),
        ({"mode": "Daemon", "env": [{"name": "A", "valueFrom": {"fieldRef": {}}}]}, Place.JOB),
        ({"mode": "Daemon", "envFrom": [{"secretRef": {"name": "a"}}]}, Place.JOB),
        ({"mode": "Daemon", "image": "busybox"}, Place.JOB),
        ({"mode": "Daemon", "resources": {}}, Place.JOB),
        ({"mode": "Daemon", "podTemplate": {}}, Place.JOB),
        ({"mode": "Daemon", **APP}, Place.DEPLOYMENT),
        ({"mode": "Daemon", "app": {"run": ["run"]}, "image": "shop"}, Place.JOB),
    ],
)
def test_where_runs_take_place(fields: dict[str, Any], place: Place) -> None:
    assert place_of(spec(**fields)) is place
