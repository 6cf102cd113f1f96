"""What a run is, from the definition and the environment."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.runner.harness import manifest
from timewright.resources.definition import secret_variable
from timewright.runner.context import RunContext, run_context
from timewright.runner.definition import DefinitionError
from timewright.runner.expansion import expand
from timewright.runner.manifest import parse_definition

NOW = datetime(2026, 3, 1, 4, 0, 37, 123456, tzinfo=UTC)


def context(spec: dict[str, Any], environ: dict[str, str] | None = None) -> RunContext:
    return run_context(parse_definition(manifest(spec)), environ or {}, NOW)


@pytest.mark.parametrize(
    ("environ", "run_id", "scheduled_at"),
    [
        ({}, "nightly-29538960", "2026-03-01T04:00:00"),
        ({"TIMEWRIGHT_RUN_ID": "nightly-29538957"}, "nightly-29538957", "2026-03-01T03:57:00"),
        ({"TIMEWRIGHT_RUN_ID": "by-hand-1a2b3c"}, "by-hand-1a2b3c", "2026-03-01T04:00:00"),
        (
            {"TIMEWRIGHT_RUN_ID": "nightly-29538957", "TIMEWRIGHT_SCHEDULED_AT": "2026-02-28T23:30:00-05:00"},
            "nightly-29538957",
            "2026-03-01T04:30:00",
        ),
        ({"TIMEWRIGHT_SCHEDULED_AT": ""}, "nightly-29538960", "2026-03-01T04:00:00"),
    ],
)
def test_identity_and_nominal_time(environ: dict[str, str], run_id: str, scheduled_at: str) -> None:
    run = context({"command": ["true"]}, environ)
    assert run.run_id == run_id
    assert run.scheduled_at == datetime.fromisoformat(scheduled_at).replace(tzinfo=UTC)
    assert run.environment["TIMEWRIGHT_RUN_ID"] == run_id
    assert run.environment["TIMEWRIGHT_SCHEDULED_AT"] == f"{scheduled_at}Z"


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"TIMEWRIGHT_SCHEDULED_AT": "yesterday"}, "TIMEWRIGHT_SCHEDULED_AT is 'yesterday'"),
        ({"TIMEWRIGHT_SCHEDULED_AT": "2026-03-01T04:00:00"}, "has no offset"),
        ({"TIMEWRIGHT_PARAMETERS": "{"}, "TIMEWRIGHT_PARAMETERS is '{'"),
        ({"TIMEWRIGHT_PARAMETERS": "[1]"}, "expected a JSON object"),
    ],
)
def test_an_environment_that_contradicts(environ: dict[str, str], words: str) -> None:
    with pytest.raises(DefinitionError, match=words.replace("[", r"\[").replace("{", r"\{")):
        context({"command": ["true"]}, environ)


def test_parameters() -> None:
    spec = {
        "command": ["true"],
        "parameters": [
            {"name": "a", "default": "x"},
            {"name": "b", "type": "integer", "default": 1},
            {"name": "c", "type": "boolean"},
        ],
    }
    assert dict(context(spec).parameters) == {"a": "x", "b": 1}
    run = context(spec, {"TIMEWRIGHT_PARAMETERS": json.dumps({"b": 2, "c": False, "d": "undeclared"})})
    assert dict(run.parameters) == {"a": "x", "b": 2, "c": False}
    assert run.environment["TIMEWRIGHT_PARAMETER_C"] == "false"
    assert run.environment["TIMEWRIGHT_PARAMETER_A"] == "x"
    assert "TIMEWRIGHT_PARAMETER_D" not in run.environment


def test_secrets_stay_with_the_runner() -> None:
    variable = secret_variable("shop", "token")
    headers = [
        {"name": "Authorization", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "token"}}},
        {"name": "X-Key", "value": "key=$(API_KEY) at $(TIMEWRIGHT_SCHEDULED_AT)"},
    ]
    run = context(
        {"http": {"url": "http://shop/$(REGION)", "headers": headers}},
        {variable: "Bearer 12345\n", "API_KEY": "abcdefghij", "REGION": "eu"},
    )
    assert dict(run.secrets) == {variable: "Bearer 12345"}
    assert variable not in run.environment
    assert run.masked == ("Bearer 12345", "abcdefghij")


def test_a_secret_that_is_missing() -> None:
    header = {"name": "Authorization", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "token"}}}
    with pytest.raises(DefinitionError, match="key 'token' of Secret 'shop' was not handed in"):
        context({"http": {"url": "http://shop", "headers": [header]}})


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)-$(B)", "1-$(A)"),
        ("$$(A) $$$(A) $$", "$(A) $1 $"),
        ("$(NOPE) $A ${A} $( A) $(", "$(NOPE) $A ${A} $( A) $("),
        ("a $ b $", "a $ b $"),
    ],
)
def test_expansion_as_in_kubernetes(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1", "B": "$(A)"}) == expanded


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "is a JSON list; expected a ScheduledTask"),
        (json.dumps({"apiVersion": "batch/v1", "kind": "CronJob"}), 'apiVersion is "batch/v1"'),
        (manifest({}), "spec: none is set; expected exactly one of command, http, python"),
        (manifest({"command": ["a"], "python": {"call": "a:b"}}), "spec: command and python are set"),
        (manifest({"command": []}), "spec.command: [] is not accepted"),
        (manifest({"command": ["a"], "flavour": 1}), "spec.flavour: this version of timewright knows no such field"),
        (manifest({"http": {"method": "GET"}}), "spec.http.url: required"),
        (manifest({"python": {"call": "nonsense"}}), 'spec.python.call: "nonsense" is not accepted'),
        (manifest({"command": ["a"], "timeoutSeconds": 0}), "spec.timeoutSeconds: 0 is not accepted"),
        (manifest({"command": ["a"]}, name=""), 'metadata.name is ""'),
    ],
)
def test_definitions_that_cannot_be_run(text: str, words: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_definition(text)
    assert words in str(caught.value)
