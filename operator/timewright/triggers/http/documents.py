"""What is listed, as JSON, and which part of it a query asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from timewright.engine.telling import timestamp
from timewright.resources.vocabulary import Outcome
from timewright.storage.protocol import HistoryQuery
from timewright.triggers.event import EventError, parse_time

if TYPE_CHECKING:
    from datetime import datetime

    from timewright.schedule.listing import ListedTask

LONGEST_LIST = 500
_FIELDS = ("task", "outcome", "since", "until", "limit")


def task_document(task: ListedTask) -> dict[str, Any]:
    """Return a task and what is known of it."""
    return {
        "name": task.name,
        "key": task.key,
        "runs": task.runs,
        "schedules": list(task.expressions),
        "timeZone": task.time_zone,
        "nextTicks": [_time(tick) for tick in task.next_ticks],
        "suspended": task.suspended,
        "paused": task.paused,
        "active": task.active,
        "lastOutcome": task.last_outcome.value if task.last_outcome else None,
        "lastCompletionTime": _time(task.last_finished_at),
    }


def query_of(parameters: Any) -> HistoryQuery:
    """Read `task` and `outcome`, each of which may be repeated, `since`, `until` and `limit`. Raises EventError."""
    if unknown := sorted(set(parameters.keys()) - set(_FIELDS)):
        raise EventError(f"the query has {unknown[0]!r}; expected {', '.join(_FIELDS)}")
    return HistoryQuery(
        tasks=parameters.getlist("task"),
        outcomes=[_outcome(text) for text in parameters.getlist("outcome")],
        since=_seconds(parameters, "since"),
        until=_seconds(parameters, "until"),
        limit=_limit(parameters.get("limit", "20")),
    )


def _outcome(text: str) -> Outcome:
    try:
        return Outcome(text)
    except ValueError as error:
        raise EventError(f"outcome is {text!r}; expected one of {', '.join(Outcome)}") from error


def _seconds(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name)
    return None if text is None else int(parse_time(text, name).timestamp())


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= LONGEST_LIST:
        raise EventError(f"limit is {text!r}; expected a number from 1 to {LONGEST_LIST}")
    return int(text)


def _time(instant: datetime | None) -> str | None:
    return None if instant is None else timestamp(instant.timestamp())
