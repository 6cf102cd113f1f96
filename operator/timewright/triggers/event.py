"""Reads what an event wants: the run of a minute, or of one task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

RUN_NOW = "runNow"
_RUN_NOW_FIELDS = {"name", "parameters", "idempotencyKey", "override"}
_PLAIN_FIELDS = {"at", "time", "id", RUN_NOW}
_SCHEDULED = "Scheduled Event"


class EventError(ValueError):
    """An event that does not say what is to run. The text names the field, the value and what was expected."""


@dataclass(frozen=True, slots=True)
class RunNow:
    """One task is to run now."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    idempotency_key: str | None = None
    override: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """What an event wants: the run of what is due at a minute, unless `run_now` names one task."""

    at: datetime | None = None
    """The nominal time; None for the present minute."""
    id: str | None = None
    """The same whenever the event is delivered again."""
    run_now: RunNow | None = None


def parse_event(event: object) -> Event:
    """Read an event as EventBridge Scheduler, a rule of EventBridge, or a person sends it.

    - nothing, or `{}`: what is due now
    - `{"at": TIME}` or `{"time": TIME}`, with an `id` or without: what was due then
    - EventBridge's "Scheduled Event", from a rule or from EventBridge Scheduler: what was due at its `time`
    - `{"runNow": {"name", "parameters", "idempotencyKey", "override"}}`, also as the `detail` of an event on a bus: one
      task

    Raises EventError for all else: an event of another kind shall not start a schedule by mistake.
    """
    if event is None:
        return Event()
    if not isinstance(event, Mapping):
        raise EventError(f"the event is of type {type(event).__name__}; expected an object, such as {{}}")
    enveloped = "detail-type" in event
    body = event["detail"] if enveloped and isinstance(event.get("detail"), Mapping) else event
    if enveloped and RUN_NOW not in body and event["detail-type"] != _SCHEDULED:
        raise EventError(
            f"detail-type is {event['detail-type']!r}; expected {_SCHEDULED!r}, or {RUN_NOW} in the event's detail"
        )
    if not enveloped and (unknown := sorted(map(str, event.keys() - _PLAIN_FIELDS))):
        raise EventError(f"the event has the field {unknown[0]!r}; expected {', '.join(sorted(_PLAIN_FIELDS))}")
    run_now = _run_now(body[RUN_NOW]) if RUN_NOW in body else None
    identity = event.get("id")
    if identity is not None and not isinstance(identity, str):
        raise EventError(f"id is {identity!r}; expected text")
    at = event.get("at", event.get("time"))
    return Event(None if at is None or run_now is not None else parse_time(at, "at"), identity or None, run_now)


def parse_time(value: object, name: str) -> datetime:
    """Read an RFC 3339 time with its offset. Raises EventError, which tells the name of the field."""
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise EventError(f"{name} is {value!r}; expected a time with its offset, like 2026-03-08T04:00:00Z")
    return instant


def _run_now(value: object) -> RunNow:
    if not isinstance(value, Mapping):
        raise EventError(f'{RUN_NOW} is {value!r}; expected an object, such as {{"name": "report"}}')
    if unknown := sorted(map(str, value.keys() - _RUN_NOW_FIELDS)):
        raise EventError(f"{RUN_NOW} has the field {unknown[0]!r}; expected {', '.join(sorted(_RUN_NOW_FIELDS))}")
    name, parameters = value.get("name"), value.get("parameters", {})
    key, override = value.get("idempotencyKey"), value.get("override", False)
    if not isinstance(name, str) or not name:
        raise EventError(f"{RUN_NOW}.name is {name!r}; expected the name of a task")
    return RunNow(name, *parse_request(parameters, key, override, f"{RUN_NOW}."))


def parse_request(
    parameters: object, key: object, override: object, prefix: str = ""
) -> tuple[Mapping[str, Any], str | None, bool]:
    """Check the types of what varies a run by hand. Raises EventError, which tells the field after the prefix."""
    if not isinstance(parameters, Mapping) or not all(isinstance(name, str) for name in parameters):
        raise EventError(f"{prefix}parameters is {parameters!r}; expected an object of names and values")
    if key is not None and (not isinstance(key, str) or not 0 < len(key) <= LONGEST_KEY):
        raise EventError(f"{prefix}idempotencyKey is {key!r}; expected text of 1 to {LONGEST_KEY} characters")
    if not isinstance(override, bool):
        raise EventError(f"{prefix}override is {override!r}; expected true or false")
    return parameters, key, override


LONGEST_KEY = 500
