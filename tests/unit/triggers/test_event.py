"""What an event wants, for every shape in which AWS sends one."""

from datetime import UTC, datetime
from typing import Any

import pytest

from timewright.triggers.event import Event, EventError, RunNow, parse_event

AT = datetime(2026, 3, 8, 4, 0, tzinfo=UTC)

# As AWS documents a rule's event, and as EventBridge Scheduler sends it when a schedule has no input of its own.
RULE: dict[str, Any] = {
    "version": "0",
    "id": "89d1a02d-5ec7-412e-82f5-13505f849b41",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2026-03-08T04:00:00Z",
    "region": "us-east-1",
    "resources": ["arn:aws:events:us-east-1:123456789012:rule/every-minute"],
    "detail": {},
}
SCHEDULER: dict[str, Any] = {
    **RULE,
    "source": "aws.scheduler",
    "resources": ["arn:aws:scheduler:us-east-1:123456789012:schedule/default/every-minute"],
    "detail": "{}",
}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (None, Event()),
        ({}, Event()),
        ({"at": "2026-03-08T04:00:00Z"}, Event(AT)),
        ({"at": "2026-03-08T05:00:00+01:00", "id": "d32c5kddcf5bb8c3"}, Event(AT, "d32c5kddcf5bb8c3")),
        ({"time": "2026-03-08T04:00:00Z"}, Event(AT)),
        (RULE, Event(AT, RULE["id"])),
        (SCHEDULER, Event(AT, RULE["id"])),
        ({"runNow": {"name": "report"}}, Event(run_now=RunNow("report"))),
        (
            {"id": "x", "runNow": {"name": "r", "parameters": {"a": 1}, "idempotencyKey": "k", "override": True}},
            Event(id="x", run_now=RunNow("r", {"a": 1}, "k", override=True)),
        ),
        (
            {**RULE, "detail-type": "ReportWanted", "source": "shop", "detail": {"runNow": {"name": "report"}}},
            Event(id=RULE["id"], run_now=RunNow("report")),
        ),
        ({**RULE, "detail": {"runNow": {"name": "report"}}}, Event(id=RULE["id"], run_now=RunNow("report"))),
    ],
)
def test_what_is_wanted(event: object, expected: Event) -> None:
    assert parse_event(event) == expected


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ("run", "of type str"),
        ([], "of type list"),
        ({"Records": []}, "the field 'Records'; expected at, id, runNow, time"),
        ({"run_now": {"name": "x"}}, "'run_now'"),
        ({**RULE, "detail-type": "EC2 Instance State-change Notification"}, "detail-type is 'EC2"),
        ({"at": "yesterday"}, "at is 'yesterday'; expected a time with its offset"),
        ({"at": "2026-03-08T04:00:00"}, "at is '2026-03-08T04:00:00'"),
        ({"at": 1795577760}, "at is 1795577760"),
        ({"at": "<aws.scheduler.scheduled-time>"}, "at is '<aws"),
        ({"id": 5}, "id is 5"),
        ({"runNow": "report"}, "runNow is 'report'; expected an object"),
        ({"runNow": {}}, "runNow.name is None"),
        ({"runNow": {"name": "x", "params": {}}}, "runNow has the field 'params'"),
        ({"runNow": {"name": "x", "parameters": []}}, r"runNow.parameters is \[\]"),
        ({"runNow": {"name": "x", "idempotencyKey": ""}}, "runNow.idempotencyKey is ''"),
        ({"runNow": {"name": "x", "override": "yes"}}, "runNow.override is 'yes'"),
    ],
)
def test_what_is_no_such_event(event: object, words: str) -> None:
    with pytest.raises(EventError, match=words):
        parse_event(event)
