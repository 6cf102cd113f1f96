"""Reads what a request wants out of its headers and its body, whoever made it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from timewright.engine.by_hand import Request as RunRequest
from timewright.triggers.event import LONGEST_KEY, EventError, parse_event, parse_request, parse_time

_BODY_FIELDS = {"parameters", "idempotencyKey", "override"}
_STRUCTURED = "application/cloudevents+json"


@dataclass(frozen=True, slots=True)
class Received:
    """The parts of a request that matter. Names of headers are in lower case."""

    headers: Mapping[str, str]
    body: bytes


def nominal_time(received: Received) -> datetime | None:
    """Return the nominal time that a request names; None for the present minute.

    It is in the body, as `{"at": TIME}` or an event of EventBridge's, in the `ce-time` of a CloudEvent, or in Cloud
    Scheduler's header. A CloudEvent's data is somebody else's matter. Raises EventError.
    """
    if "ce-id" in received.headers:
        return _time_of(received.headers.get("ce-time"), "ce-time")
    document = _document(received.body)
    if _is_structured(received):
        return _time_of(_object(document).get("time"), "time")
    event = parse_event(document)
    if event.run_now is not None:
        raise EventError("runNow is for POST /tasks/NAME/run; this runs what is due at a minute")
    if event.at is not None:
        return event.at
    return _time_of(received.headers.get("x-cloudscheduler-scheduletime"), "X-CloudScheduler-ScheduleTime")


def run_request(received: Received) -> RunRequest:
    """Return what varies a run by hand.

    `{"parameters", "idempotencyKey", "override"}` are in the body, in the data of a CloudEvent, or in the detail of an
    event of EventBridge's. The key is the one given there, that of the header Idempotency-Key, or else the identity of
    the event. Raises EventError.
    """
    headers = received.headers
    document = _object(_document(received.body))
    key = headers.get("idempotency-key") or _identity(headers.get("ce-source"), headers.get("ce-id"))
    if _is_structured(received):
        key = key or _identity(document.get("source"), document.get("id"))
        document = _object(document.get("data"))
    elif "detail-type" in document:
        key = key or _identity(document.get("source"), document.get("id"))
        document = _object(document.get("detail"))
    if unknown := sorted(document.keys() - _BODY_FIELDS):
        raise EventError(f"the body has the field {unknown[0]!r}; expected {', '.join(sorted(_BODY_FIELDS))}")
    if key is not None and len(key) > LONGEST_KEY:
        raise EventError(f"Idempotency-Key has {len(key)} characters; expected at most {LONGEST_KEY}")
    parameters, key_of_body, override = parse_request(
        document.get("parameters", {}), document.get("idempotencyKey"), document.get("override", False)
    )
    return RunRequest(parameters, key_of_body or key, override)


def _is_structured(received: Received) -> bool:
    return received.headers.get("content-type", "").partition(";")[0].strip().lower() == _STRUCTURED


def _identity(source: object, identity: object) -> str | None:
    """Return what tells a CloudEvent from all others: its source and id together."""
    return f"{source or ''}#{identity}" if identity else None


def _time_of(value: object, name: str) -> datetime | None:
    return None if value is None or value == "" else parse_time(value, name)


def _document(body: bytes) -> Any:
    if not body.strip():
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise EventError(f"the body is not JSON: {error}") from error


def _object(document: Any) -> dict[str, Any]:
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise EventError(f"the body is {type(document).__name__}; expected an object")
    return document
