"""What a request wants, in the forms of those who make requests on a schedule."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.triggers.test_event import RULE
from timewright.engine.by_hand import Request
from timewright.triggers.event import EventError
from timewright.triggers.http.request import Received, nominal_time, run_request

AT = datetime(2026, 3, 8, 4, 0, tzinfo=UTC)

# As Google documents it: a job in unix-cron format, with no body of its own.
CLOUD_SCHEDULER = {
    "user-agent": "Google-Cloud-Scheduler",
    "x-cloudscheduler": "true",
    "x-cloudscheduler-jobname": "every-minute",
    "x-cloudscheduler-scheduletime": "2026-03-08T04:00:00Z",
    "content-length": "0",
}
# As Knative's PingSource sends a CloudEvent in binary mode.
PING_SOURCE = {
    "ce-id": "d8e761eb-30c7-49a3-a421-cd5895239f2d",
    "ce-source": "/apis/v1/namespaces/default/pingsources/every-minute",
    "ce-specversion": "1.0",
    "ce-time": "2026-03-08T04:00:00.000326145Z",
    "ce-type": "dev.knative.sources.ping",
    "content-type": "application/json",
}
STRUCTURED = {
    "specversion": "1.0",
    "id": "d8e761eb",
    "source": "/pings",
    "type": "dev.knative.sources.ping",
    "time": "2026-03-08T04:00:00Z",
    "datacontenttype": "application/json",
}


def received(body: Any = None, headers: dict[str, str] | None = None) -> Received:
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return Received(headers or {}, content)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (received(), None),
        (received({}), None),
        (received(b" \n"), None),
        (received({"at": "2026-03-08T04:00:00Z"}), AT),
        (received(headers=CLOUD_SCHEDULER), AT),
        (received({}, CLOUD_SCHEDULER), AT),
        (received({"at": "2026-03-08T03:00:00Z"}, CLOUD_SCHEDULER), AT.replace(hour=3)),
        (received(headers={**CLOUD_SCHEDULER, "x-cloudscheduler-scheduletime": ""}), None),
        (received(RULE, {"user-agent": "Amazon/EventBridge/ApiDestinations"}), AT),
        (received({"message": "Hello"}, PING_SOURCE), AT.replace(microsecond=326)),
        (received(b"\x00 no JSON", PING_SOURCE), AT.replace(microsecond=326)),
        (received(None, {name: value for name, value in PING_SOURCE.items() if name != "ce-time"}), None),
        (received(STRUCTURED, {"content-type": "application/cloudevents+json; charset=utf-8"}), AT),
    ],
)
def test_nominal_time(request_: Received, expected: datetime | None) -> None:
    assert nominal_time(request_) == expected


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (received(b"at=now"), "the body is not JSON"),
        (received(b"[" * 50_000), "the body is not JSON"),
        (received([1]), "of type list"),
        (received({"when": "now"}), "the field 'when'"),
        (received({"at": "now"}), "at is 'now'"),
        (received({"runNow": {"name": "x"}}), "POST /tasks/NAME/run"),
        (received(headers={"x-cloudscheduler-scheduletime": "4 o'clock"}), "X-CloudScheduler-ScheduleTime is"),
        (received(headers={**PING_SOURCE, "ce-time": "4 o'clock"}), "ce-time is"),
    ],
)
def test_no_nominal_time(request_: Received, words: str) -> None:
    with pytest.raises(EventError, match=words):
        nominal_time(request_)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (received(), Request({})),
        (received({"parameters": {"since": "may"}, "override": True}), Request({"since": "may"}, None, True)),
        (received(headers={"idempotency-key": "k"}), Request({}, "k")),
        (received({"idempotencyKey": "body"}, {"idempotency-key": "k"}), Request({}, "body")),
        (
            received({"parameters": {"since": "may"}}, PING_SOURCE),
            Request({"since": "may"}, f"{PING_SOURCE['ce-source']}#{PING_SOURCE['ce-id']}"),
        ),
        (received(headers={**PING_SOURCE, "idempotency-key": "k"}), Request({}, "k")),
        (
            received(
                {**STRUCTURED, "data": {"parameters": {"since": "may"}}},
                {"content-type": "application/cloudevents+json"},
            ),
            Request({"since": "may"}, "/pings#d8e761eb"),
        ),
        (
            received({**RULE, "detail": {"parameters": {"since": "may"}}}),
            Request({"since": "may"}, f"aws.events#{RULE['id']}"),
        ),
    ],
)
def test_run_request(request_: Received, expected: Request) -> None:
    assert run_request(request_) == expected


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (received({"since": "may"}), "the field 'since'; expected idempotencyKey, override, parameters"),
        (received({"parameters": "may"}), "parameters is 'may'"),
        (received(5), "the body is int"),
        (received(headers={"idempotency-key": "k" * 501}), "Idempotency-Key has 501 characters"),
        (received({"idempotencyKey": 5}), "idempotencyKey is 5"),
    ],
)
def test_no_run_request(request_: Received, words: str) -> None:
    with pytest.raises(EventError, match=words):
        run_request(request_)
