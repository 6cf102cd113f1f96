"""Models ⇄ manifests, times, conditions, and names of variables."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from timewright.resources.conditions import Condition, condition, merge_conditions
from timewright.resources.definition import nominal_time_from_job_name, parameter_variable, secret_variable
from timewright.resources.model import format_time, parse_time
from timewright.resources.scheduled_task import Counters, ScheduledTaskSpec, ScheduledTaskStatus
from timewright.resources.task_run import TaskRunSpec, TaskRunStatus
from timewright.resources.vocabulary import ConcurrencyPolicy, Outcome, Trigger

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_manifest_is_read_in_camel_case_and_written_back_as_it_was() -> None:
    manifest: dict[str, Any] = {
        "schedule": "*/5 * * * *",
        "timeZone": "Europe/Berlin",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 60,
        "http": {
            "method": "POST",
            "url": "https://shop.example/import",
            "headers": [{"name": "Authorization", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "token"}}}],
            "expectedStatus": ["2xx", "304"],
        },
        "envFrom": [{"secretRef": {"name": "shop"}}],
        "parameters": [{"name": "day", "type": "string", "default": "today", "allowedValues": ["today", "all"]}],
        "runsHistoryMaxAgeSeconds": 86400,
    }

    spec = ScheduledTaskSpec.model_validate(manifest)

    assert spec.http is not None
    assert spec.http.headers[0].value_from is not None
    assert spec.http.headers[0].value_from.secret_key_ref.key == "token"
    assert spec.model_dump(mode="json", by_alias=True, exclude_unset=True) == manifest


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"scheduel": "* * * * *"}, "scheduel"),
        ({"http": {"url": "https://a.example", "verb": "GET"}}, "verb"),
        ({"http": {"url": "https://a.example", "headers": [{"name": "A", "valeu": "b"}]}}, "valeu"),
        ({"python": {"call": "a:b", "kwarg": {}}}, "kwarg"),
        ({"app": {"run": ["a"], "werk": ["b"]}}, "werk"),
        ({"parameters": [{"name": "a", "choices": []}]}, "choices"),
    ],
)
def test_a_misspelt_field_is_refused_by_name(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        ScheduledTaskSpec.model_validate(spec)


def test_an_empty_concurrency_policy_means_allow() -> None:
    assert ScheduledTaskSpec.model_validate({"concurrencyPolicy": ""}).concurrency_policy is ConcurrencyPolicy.ALLOW


@pytest.mark.parametrize("policy", ["allow", " ", "Never", 0, False, None])
def test_any_other_unknown_concurrency_policy_is_refused(policy: object) -> None:
    with pytest.raises(ValidationError):
        ScheduledTaskSpec.model_validate({"concurrencyPolicy": policy})


def test_app_without_a_schedule_runs_every_minute() -> None:
    assert ScheduledTaskSpec.model_validate({"app": {"run": ["a"]}}).expressions == ("* * * * *",)
    assert ScheduledTaskSpec.model_validate({"schedule": "@daily"}).expressions == ("@daily",)


def test_a_task_run_made_by_hand_is_manual_unless_it_says_otherwise() -> None:
    assert TaskRunSpec.model_validate({"taskRef": {"name": "backup"}}).trigger is Trigger.MANUAL


@pytest.mark.parametrize(
    ("model", "status"),
    [
        (ScheduledTaskStatus, {"activeCount": 1, "counters": {"succeeded": 4, "postponed": 2}, "mood": "x"}),
        (TaskRunStatus, {"phase": "Running", "attempts": [{"number": 1, "node": "n"}], "admittedBy": "gate"}),
        (Condition, {**condition("Ready", True, "Applied", "", now=NOON).to_manifest(), "severity": "high"}),
    ],
)
def test_a_status_by_a_newer_operator_is_still_read(model: Any, status: dict[str, Any]) -> None:
    read = model.model_validate(status)

    assert (
        read.to_manifest().items()
        >= {
            key: value
            for key, value in status.items()
            if not isinstance(value, dict | list) and key in read.to_manifest()
        }.items()
    )


def test_counters_survive_an_outcome_that_is_not_known_yet() -> None:
    status = ScheduledTaskStatus.model_validate({"counters": {"succeeded": 4, "postponed": 2}})

    assert status.counters.succeeded == 4


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_counter_counts_its_own_outcome_alone(outcome: Outcome) -> None:
    before = Counters(succeeded=1, failed=2, skipped=3, missed=4, cancelled=5, lost=6)

    after = before.plus(outcome)

    changed = {key for key, value in after.model_dump().items() if value != getattr(before, key)}
    assert changed == {outcome.value.lower()}
    assert getattr(after, outcome.value.lower()) == getattr(before, outcome.value.lower()) + 1


# Times


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_reads_back_as_it_was_written_to_the_second(instant: datetime) -> None:
    assert parse_time(format_time(instant)) == instant.replace(microsecond=0)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01T12:00:00Z", NOON),
        ("2026-03-01T13:00:00+01:00", NOON),
        ("2026-03-01T06:30:00-05:30", NOON),
        ("2026-03-01T12:00:00.250000Z", NOON + timedelta(milliseconds=250)),
        ("2026-03-01T12:00:00", NOON),
        ("2026-03-01t12:00:00z", NOON),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_timestamps_of_any_offset_are_read_as_utc(text: str, instant: datetime, far_zone: None) -> None:
    read = parse_time(text)

    assert read == instant
    assert read.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text", ["", "now", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"]
)
def test_what_is_no_timestamp_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_time(text)


def test_a_time_is_written_in_utc_with_four_digits_for_the_year(far_zone: None) -> None:
    assert format_time(datetime.fromisoformat("2026-03-01T12:00:00.9+05:30")) == "2026-03-01T06:30:00Z"
    assert format_time(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00Z"


@pytest.fixture
def far_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set this process in a zone far from UTC, which must not matter."""
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


# Conditions


def test_a_condition_whose_status_stays_keeps_its_transition_time() -> None:
    later = NOON + timedelta(hours=1)
    old = condition("Ready", True, "Applied", "before", now=NOON, generation=1)

    (merged,) = merge_conditions([old], [condition("Ready", True, "Applied", "after", now=later, generation=2)])

    assert merged.last_transition_time == NOON
    assert (merged.message, merged.observed_generation) == ("after", 2)


def test_a_condition_whose_status_changes_takes_the_new_time() -> None:
    later = NOON + timedelta(hours=1)

    (merged,) = merge_conditions(
        [condition("Ready", True, "Applied", "", now=NOON)], [condition("Ready", False, "Refused", "", now=later)]
    )

    assert merged.last_transition_time == later


def test_merging_adds_what_is_new_and_keeps_what_is_not_spoken_of() -> None:
    one, two, three = (condition(kind, None, "Reason", "", now=NOON) for kind in ("One", "Two", "Three"))

    assert [each.type for each in merge_conditions([one, two], [three, two])] == ["One", "Two", "Three"]


@pytest.mark.parametrize(("status", "word"), [(True, "True"), (False, "False"), (None, "Unknown")])
def test_a_condition_says_its_status_in_a_word(status: bool | None, word: str) -> None:
    assert condition("Ready", status, "Reason", "", now=NOON).status == word


def test_a_long_message_is_cut_to_what_the_api_takes() -> None:
    assert len(condition("Ready", True, "Reason", "x" * 40_000, now=NOON).message) == 32_768


# Variables and names


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        ("backup-29539440", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("a-b-29539440", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("backup.daily-29539440", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("backup-2953944", datetime(1975, 8, 14, 8, 24, tzinfo=UTC)),
        ("backup", None),
        ("backup-", None),
        ("-29539440", None),
        ("29539440", None),
        ("", None),
        ("backup-295408", None),
        ("backup-2953944012", None),
        ("backup-2953944a", None),
        ("backup-29539440-xyz", None),
    ],
)
def test_a_native_job_tells_its_nominal_time_by_its_name(job: str, expected: datetime | None) -> None:
    assert nominal_time_from_job_name(job) == expected


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2999, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_every_minute_reads_back_from_the_name_that_the_controller_makes(instant: datetime) -> None:
    minute = instant.replace(second=0, microsecond=0)

    assert nominal_time_from_job_name(f"a-task-{int(minute.timestamp()) // 60}") == minute


@given(st.text())
def test_no_name_of_a_job_is_too_strange_to_ask(name: str) -> None:
    nominal_time_from_job_name(name)


def test_variables_of_secrets_are_apart_and_tell_nothing() -> None:
    names = {secret_variable(*pair) for pair in [("shop", "token"), ("shop", "user"), ("token", "shop")]}

    assert len(names) == 3
    assert not any("token" in name.lower() or "shop" in name.lower() for name in names)
    assert parameter_variable("day_of_month") == "TIMEWRIGHT_PARAMETER_DAY_OF_MONTH"
