"""What a task may say of notices, in which mode."""

from __future__ import annotations

from typing import Any

import pytest

from timewright.decisions.acceptance import Accepted, Refused, accept
from timewright.decisions.notice_rules import is_allowed, not_allowed
from timewright.resources.scheduled_task import ScheduledTaskSpec

BASE: dict[str, Any] = {"schedule": "* * * * *", "command": ["true"]}
SECRET = {"secretKeyRef": {"name": "hooks", "key": "url"}}
URL = {"url": "https://hooks.example.com/x"}


def judge(rule: dict[str, Any], native: bool = True, **spec: Any) -> str | None:
    verdict = accept({**BASE, **spec, "notify": [rule]}, native=native)
    if isinstance(verdict, Refused):
        assert verdict.reason == "InvalidSpec"
        return verdict.message
    assert isinstance(verdict, Accepted)
    return None


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({}, "exactly one of webhook, slack and ping must be set, found none"),
        ({"slack": URL, "ping": URL}, "found slack and ping"),
        ({"slack": {}}, "slack: exactly one of url and urlFrom"),
        ({"slack": {**URL, "urlFrom": SECRET}}, "slack: exactly one of url and urlFrom"),
        ({"slack": {"url": "ftp://example.com"}}, "spec.notify.0.slack.url"),
        ({"webhook": {**URL, "headers": [{"name": "X"}]}}, "headers[0]: exactly one of value and valueFrom"),
        ({"slack": URL, "events": ["LongRunning"]}, "longRunningSeconds: goes with LongRunning"),
        ({"slack": URL, "longRunningSeconds": 5}, "longRunningSeconds: goes with LongRunning"),
        ({"slack": URL, "events": ["Nothing"]}, "spec.notify.0.events.0"),
        ({"slack": URL, "template": "${tusk}"}, "template: ${tusk}: not known; expected one of event, task"),
        ({"slack": URL, "template": "costs $ 5"}, "a $ that names nothing"),
        ({"ping": URL, "events": ["Recovered"]}, "events: Recovered: a ping can tell Failed, Started, Succeeded alone"),
        ({"ping": URL, "template": "x"}, "template: a ping has no text"),
    ],
)
def test_what_is_wrong_in_every_mode(rule: dict[str, Any], text: str) -> None:
    for mode in ("CronJob", "Daemon"):
        message = judge(rule, mode=mode)
        assert message is not None
        assert text in message


@pytest.mark.parametrize(
    "rule",
    [
        {"slack": {"urlFrom": SECRET}},
        {"webhook": {**URL, "headers": [{"name": "Authorization", "valueFrom": SECRET}]}},
        {"slack": URL, "events": ["Missed"]},
    ],
)
def test_what_only_a_daemon_can_do(rule: dict[str, Any]) -> None:
    assert judge(rule, mode="Daemon") is None
    assert judge(rule, native=False) is None
    message = judge(rule, mode="CronJob")
    assert message is not None
    assert "use mode Daemon" in message


def test_nobody_knows_of_the_runs_of_an_application_that_keeps_running() -> None:
    app = {"command": None, "image": "shop:1", "app": {"run": ["run"], "work": ["work"]}}
    message = judge({"slack": URL}, mode="Daemon", **app)
    assert message is not None
    assert "remove notify" in message
    assert judge({"slack": URL}, mode="CronJob", **app) is None


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("hooks.slack.com", True),
        ("HOOKS.slack.com.", True),
        ("slack.com", False),
        ("a.example.com", True),
        ("a.b.example.com", True),
        ("example.com", False),
        ("badexample.com", False),
        ("", False),
    ],
)
def test_hosts(host: str, allowed: bool) -> None:
    assert is_allowed(host, ("hooks.slack.com", "*.example.com")) is allowed
    assert is_allowed(host, ()) is False
    assert is_allowed(host, ("*",)) is bool(host)


def test_a_host_that_the_operator_may_not_send_to_is_told() -> None:
    spec = ScheduledTaskSpec.model_validate({**BASE, "notify": [{"ping": URL}, {"slack": {"url": "http://ok/x"}}]})
    (text,) = not_allowed(spec, ("ok",))
    assert text.startswith("spec.notify[0].ping.url: the operator may not send to 'hooks.example.com'")
