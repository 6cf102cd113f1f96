"""What of a declared task no manifest can say, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from timewright.schedule.functions import is_importable, name_of
from timewright.schedule.work import FunctionCall

if TYPE_CHECKING:
    from timewright.engine.task import Task
    from timewright.schedule.declaration import Declaration
    from timewright.schedule.settings import Settings

AS_APP = "export the schedule as one app (--as app)"


def inexpressible(declaration: Declaration, task: Task) -> Iterator[str]:
    """Yield why no manifest can say all of a task, with the remedy for each."""
    settings = declaration.settings
    for condition in task.conditions:
        yield f"{condition.text} is asked inside of the application; {AS_APP}"
    yield from _beside(settings)
    yield from _when(settings)
    if not settings.in_background:
        yield f"in_order() orders tasks of one process; {AS_APP}"
    if settings.one_server is False:
        yield "on_every_server(): a cluster runs each tick once; leave it out"
    if isinstance(declaration.work, FunctionCall):
        yield from _unreachable(declaration.work)


def _beside(settings: Settings) -> Iterator[str]:
    for hook in ("before", "after", "on_success", "on_failure"):
        if getattr(settings, hook):
            yield f"{hook} is called inside of the application; {AS_APP}, or call it in the task"
    for ping in ("ping_before", "then_ping", "ping_on_success", "ping_on_failure"):
        if getattr(settings, ping):
            yield f"{ping} has no field in a manifest; {AS_APP}"
    if settings.output_path is not None:
        yield f"a run in a Pod has no file that lasts for its output; {AS_APP}, or read the TaskRun"


def _when(settings: Settings) -> Iterator[str]:
    for calendar in settings.calendars:
        if calendar.manifest is None:
            yield f"only its own code knows the calendar {calendar.calendar.name!r}; {AS_APP}"
    if settings.second != "0" and any(window.start % 60 or window.end % 60 for window in settings.windows):
        yield f"times of day with seconds have no form in spec.windows; {AS_APP}"


def _unreachable(work: FunctionCall) -> Iterator[str]:
    """Yield why a function cannot be called by name in another process."""
    if not is_importable(work.function):
        name = name_of(work.function) or "the function"
        remedy = "define it at the top of a module that the image has"
        yield f"{name} cannot be imported by its name; {remedy}, or {AS_APP}"
    try:
        same = json.loads(json.dumps([work.args, dict(work.kwargs)])) == [list(work.args), dict(work.kwargs)]
    except (TypeError, ValueError):
        same = False
    if not same:
        yield f"its arguments are not what JSON can say; pass texts and numbers, or {AS_APP}"
