"""Says what is known of a run in the words of the command line."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from timewright.resources.times import parse_time
from timewright.resources.vocabulary import Reason

Manifest = dict[str, Any]


def outcome_line(run: Manifest) -> str:
    """Say how a finished TaskRun ended, in one line."""
    status = run.get("status") or {}
    text = f"{run['metadata']['name']} {status.get('outcome', 'Unknown')}"
    if status.get("reason") not in (None, Reason.COMPLETED.value):
        text += f" ({status['reason']})"
    duration = seconds_between(status.get("startTime"), status.get("completionTime"))
    if duration is not None:
        text += f" after {seconds_in_words(duration)}"
    message = first_line(status.get("message"))
    return f"{text}: {message}" if message else text


def seconds_between(start: str | None, end: str | None) -> float | None:
    """Return the seconds between two RFC 3339 times; None if one of them is not known."""
    if not start or not end:
        return None
    return (parse_time(end) - parse_time(start)).total_seconds()


def seconds_in_words(seconds: float) -> str:
    """Write a duration as kubectl does: 45s, 3m20s, 2h05m, 4d2h."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600}h"


def time_in_words(text: str | None) -> str:
    """Write an RFC 3339 time in UTC, in the form that sorts and copies well."""
    if not text:
        return ""
    instant: datetime = parse_time(text)
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def first_line(text: str | None) -> str:
    """Return the first line that is not blank."""
    return next((line.strip() for line in (text or "").splitlines() if line.strip()), "")
