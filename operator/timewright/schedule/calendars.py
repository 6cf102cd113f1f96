"""Calendars, together with what a manifest says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timewright.timetable.calendars import Calendar


class DeclaredCalendar:
    """A calendar that closes days and hours to a task."""

    __slots__ = ("calendar", "manifest")

    def __init__(self, calendar: Calendar, manifest: dict[str, Any] | None) -> None:
        """Take the calendar, and it as an item of `spec.calendars`; None for one that only its own code knows."""
        self.calendar = calendar
        self.manifest = manifest

    @property
    def identity(self) -> object:
        """What differs between calendars that differ, as far as that can be told."""
        return self.manifest or self.calendar.name
