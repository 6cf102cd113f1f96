"""What is refused, and whether its author can tell what to do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timewright.decisions.acceptance import Accepted, Refused, accept
from timewright.resources.scheduled_task import ScheduledTaskSpec

COMMAND: dict[str, Any] = {"schedule": "0 3 * * *", "command": ["true"]}

# spec, reason, and the field, value and remedy that the message has to name
REFUSALS: list[tuple[dict[str, Any], str, list[str]]] = [
    ({**COMMAND, "schedule": "61 * * * *"}, "InvalidSchedule", ["spec.schedule", "61", "0", "59"]),
    ({**COMMAND, "schedule": "* * *"}, "InvalidSchedule", ["spec.schedule", "* * *", "5 fields"]),
    ({**COMMAND, "schedule": "*/5 * * * * *"}, "NeedsDaemon", ["spec.schedule", "*/5 * * * * *", "second"]),
    ({**COMMAND, "schedule": "@fortnightly"}, "InvalidSchedule", ["spec.schedule", "@fortnightly", "@weekly"]),
    ({**COMMAND, "schedule": "0 0 31 2 *"}, "NeverFires", ["spec.schedule", "0 0 31 2 *"]),
    ({**COMMAND, "timeZone": "Europe/Atlantis"}, "InvalidTimeZone", ["spec.timeZone", "Europe/Atlantis"]),
    ({**COMMAND, "schedule": ""}, "InvalidSpec", ["spec.schedule", "''", "at least 1 character"]),
    ({"command": ["true"]}, "InvalidSchedule", ["spec.schedule", "required", "'0 3 * * *'"]),
    (
        {"schedule": "@daily"},
        "InvalidSpec",
        ["spec", "exactly one of", "jobTemplate, command, http, python, app", "none"],
    ),
    ({**COMMAND, "python": {"call": "a:b"}}, "InvalidSpec", ["exactly one of", "found command and python"]),
    ({**COMMAND, "comand": ["true"]}, "InvalidSpec", ["spec.comand", "unknown field", "correct its spelling"]),
    (
        {"schedule": "@daily", "http": {"url": "https://a.example", "headers": [{"nmae": "A"}]}},
        "InvalidSpec",
        ["spec.http.headers.0.nmae", "spec.http.headers.0.name"],
    ),
    (
        {"schedule": "@daily", "http": {"url": "ftp://a.example"}},
        "InvalidSpec",
        ["spec.http.url", "ftp://a.example", "https?"],
    ),
    ({"schedule": "@daily", "python": {"call": "shop"}}, "InvalidSpec", ["spec.python.call", "'shop'", "pattern"]),
    ({**COMMAND, "concurrencyPolicy": "Never"}, "InvalidSpec", ["spec.concurrencyPolicy", "'Never'", "'Forbid'"]),
    ({**COMMAND, "timeoutSeconds": 0}, "InvalidSpec", ["spec.timeoutSeconds", "got 0", "greater than or equal to 1"]),
    (
        {**COMMAND, "runsHistoryMaxAgeSeconds": 10**15},
        "InvalidSpec",
        ["spec.runsHistoryMaxAgeSeconds", str(10**15), "less than or equal to"],
    ),
    (
        {"schedule": "@daily", "jobTemplate": {}, "image": "a"},
        "InvalidSpec",
        ["spec.image", "jobTemplate", "write it inside jobTemplate.spec.template"],
    ),
    ({"app": {"run": ["a"]}}, "InvalidSpec", ["spec.image", "app", "name the image"]),
    (
        {**COMMAND, "parameters": [{"name": "day"}, {"name": "DAY"}]},
        "InvalidParameters",
        ["spec.parameters[DAY]", "taken", "choose another"],
    ),
    (
        {**COMMAND, "parameters": [{"name": "count", "type": "integer", "default": "3"}]},
        "InvalidParameters",
        ["spec.parameters[count].default", "'3'", "integer", "without quotes"],
    ),
    (
        {**COMMAND, "parameters": [{"name": "day", "default": "x", "allowedValues": ["a", "b"]}]},
        "InvalidParameters",
        ["spec.parameters[day].default", "'x'", "choose one of 'a', 'b'"],
    ),
    (
        {**COMMAND, "parameters": [{"name": "n", "type": "integer", "allowedValues": [1, "2"]}]},
        "InvalidParameters",
        ["spec.parameters[n].allowedValues", "'2'", "integer", "without quotes"],
    ),
    (
        {**COMMAND, "parameters": [{"name": "n", "allowedValues": []}]},
        "InvalidParameters",
        ["spec.parameters[n].allowedValues", "empty", "list the values"],
    ),
    (
        {"schedule": "@daily", "http": {"url": "https://a.example", "method": "POST", "body": "\n" * 60_000}},
        "InvalidSpec",
        ["spec.http", "120", "100000", "file or a ConfigMap"],
    ),
]


@pytest.mark.parametrize(("spec", "reason", "told"), REFUSALS, ids=[" ".join(told)[:60] for _, _, told in REFUSALS])
def test_a_refusal_names_field_value_and_remedy(spec: dict[str, Any], reason: str, told: list[str]) -> None:
    verdict = accept(spec)

    assert isinstance(verdict, Refused)
    assert verdict.reason == reason
    for each in told:
        assert each in verdict.message


@pytest.mark.parametrize(
    "spec",
    [
        COMMAND,
        {**COMMAND, "timeZone": "Europe/Berlin"},
        {**COMMAND, "concurrencyPolicy": ""},
        {**COMMAND, "schedule": "@every 90m"},
        {**COMMAND, "schedule": "0 0 29 2 *"},
        {"app": {"run": ["php", "artisan", "schedule:run"]}, "image": "shop"},
        {"schedule": "@daily", "http": {"url": "https://a.example"}},
        {"schedule": "@daily", "python": {"call": "shop.tasks:main"}},
        {"schedule": "@daily", "jobTemplate": {"spec": {"template": {}}}},
        {**COMMAND, "parameters": [{"name": "n", "type": "number", "default": 2, "allowedValues": [1.5, 2]}]},
        {**COMMAND, "parameters": [{"name": "flag", "type": "boolean", "default": False}]},
        {**COMMAND, "image": "busybox", "command": ["sh", "-c", "x" * 110_000]},
    ],
)
def test_a_valid_spec_is_accepted_with_its_schedule(spec: dict[str, Any]) -> None:
    verdict = accept(spec)

    assert isinstance(verdict, Accepted)
    assert verdict.schedule.expressions == (spec.get("schedule", "* * * * *"),)


@pytest.mark.parametrize(
    ("kind", "value"), [("integer", True), ("number", True), ("string", 1), ("boolean", 1), ("integer", 1.5)]
)
def test_a_default_has_to_be_of_its_very_type(kind: str, value: object) -> None:
    verdict = accept({**COMMAND, "parameters": [{"name": "a", "type": kind, "default": value}]})

    assert isinstance(verdict, Refused)
    assert repr(value) in verdict.message


def test_a_refused_spec_that_can_be_read_still_tells_its_policies() -> None:
    verdict = accept({**COMMAND, "schedule": "61 * * * *", "failedRunsHistoryLimit": 2})

    assert isinstance(verdict, Refused)
    assert verdict.spec is not None
    assert verdict.spec.failed_runs_history_limit == 2


def test_every_problem_is_told_at_once() -> None:
    verdict = accept({**COMMAND, "suspend": "perhaps", "timeoutSeconds": -1})

    assert isinstance(verdict, Refused)
    assert "spec.suspend" in verdict.message
    assert "spec.timeoutSeconds" in verdict.message


def test_a_long_value_is_shown_shortened() -> None:
    verdict = accept({**COMMAND, "image": "a" * 5000})

    assert isinstance(verdict, Refused)
    assert len(verdict.message) < 300


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
field_names = [field.alias or name for name, field in ScheduledTaskSpec.model_fields.items()]
schedules = st.sampled_from(["* * * * *", "@daily", "@every 1h", "0 0 31 2 *", "TZ=UTC * * * * *", "@every -1s", ""])
random_specs = st.builds(
    lambda base, rest: {**base, **rest},
    st.sampled_from([{}, COMMAND, {"schedule": "@daily", "jobTemplate": {}}]),
    st.dictionaries(st.sampled_from(field_names) | st.text(max_size=5), json_values | schedules, max_size=5),
)


@settings(max_examples=300, deadline=None)
@given(random_specs)
def test_no_spec_is_too_strange_to_be_judged(spec: dict[str, Any]) -> None:
    assert isinstance(accept(spec), Accepted | Refused)


@given(json_values)
def test_not_even_one_that_is_no_object(spec: Any) -> None:
    assert isinstance(accept(spec), Accepted | Refused)
