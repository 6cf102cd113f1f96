"""Instants as manifests write them. Free of pydantic, for paths on which starting up is most of the work."""

from __future__ import annotations

from datetime import UTC, datetime


def format_time(instant: datetime) -> str:
    """Write an aware instant as Kubernetes' `metav1.Time` does: RFC 3339, UTC, whole seconds."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 timestamp, whatever its offset, as an aware UTC instant.

    One without an offset, which the API server lets pass as a `date-time`, is UTC, as it is to Kubernetes.

    Raises:
        ValueError: when the text is no timestamp, or one outside the years 1 to 9999.

    """
    instant = datetime.fromisoformat(text.upper())
    if instant.tzinfo is None:
        return instant.replace(tzinfo=UTC)
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} lies outside the years 1 to 9999") from error
