"""What a task is, as far as decisions on its ticks go."""

from __future__ import annotations

from typing import NamedTuple

from timewright.decisions.policies import Policies
from timewright.timetable.ticks import Ticks


class Rules(NamedTuple):
    """When a task ticks, and under which policies."""

    ticks: Ticks
    """The same set of instants wherever it is asked from. An `@every` therefore needs an anchor."""
    schedule_id: str
    """Changes whenever the ticks do: a digest of the expressions, the zone and all that narrows them."""
    policies: Policies = Policies()
    suspended: bool = False
    former: Ticks | None = None
    """Those of the schedule that the watermark belongs to, where that is another one by now and still known."""
