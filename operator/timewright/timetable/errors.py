"""What is wrong with a schedule, where, and what to write instead.

Every refusal of the timetable is a :class:`ScheduleError`, which is a ``ValueError``. Its text stands alone in a log
line or a status condition; its attributes let a program (or a terminal) point at the offending characters.
"""

from __future__ import annotations


class ScheduleError(ValueError):
    """A schedule, time zone or policy that cannot be accepted.

    Attributes:
        problem: what was found and what was expected, as one clause.
        remedy: what to write instead; empty when the problem already says it.
        expression: the whole expression, as given; ``None`` when the error is not about an expression.
        field: the field in question, such as ``minute`` or ``timeZone``.
        value: the offending part of the expression.
        position: zero-based offset of ``value`` inside ``expression``; ``None`` when no single place is to blame.

    """

    def __init__(
        self,
        problem: str,
        *,
        remedy: str = "",
        expression: str | None = None,
        field: str | None = None,
        value: str | None = None,
        position: int | None = None,
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.expression = expression
        self.field = field
        self.value = value
        self.position = position

    def __str__(self) -> str:
        subject = ""
        if self.expression is not None:
            subject = f'schedule "{self.expression}"'
            if self.position is not None:
                subject += f", character {self.position + 1}"
            subject += ": "
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{subject}{self.problem}{remedy}"

    def pointer(self) -> str:
        """Return the expression with carets under the offending characters, or an empty string when none are known."""
        if self.expression is None or self.position is None:
            return ""
        return f"{self.expression}\n{' ' * self.position}{'^' * max(1, len(self.value or ''))}"


class UnknownTimeZoneError(ScheduleError):
    """A time zone name that the API server would refuse, or that the tz database does not hold."""


class NeverFiresError(ScheduleError):
    """A schedule that reads well but has no tick in 400 years, the period after which the calendar repeats."""
