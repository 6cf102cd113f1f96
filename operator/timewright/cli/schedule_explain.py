"""`schedule:explain`: what a schedule means, when it is due next, and what to beware of."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from timewright.timetable import DaylightSaving, Dialect, Gap, Overlap, ScheduleError, parse
from timewright.timetable.compiling import compile_schedule
from timewright.timetable.spread import seed_of_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from timewright.timetable import Schedule
    from timewright.timetable.compiling import Compiled
    from timewright.timetable.explaining import ExplainedTick, Explanation

_NEEDS_DAEMON = "Needs mode: Daemon, which timewright schedule:work runs"

_EXPLAINED = 0
_USAGE = 2


def run(argv: Sequence[str]) -> int:
    """Explain the schedule in the arguments, and return the exit code: 0, or 2 when it is not accepted."""
    arguments = _parser().parse_args(argv)
    try:
        schedule = _schedule(arguments)
        start = _instant(arguments.start)
        explanation = schedule.explain(start, arguments.count)
    except ScheduleError as error:
        sys.stderr.write(f"Error: {error}\n")
        if pointer := error.pointer():
            sys.stderr.write("\n" + "".join(f"  {line}\n" for line in pointer.splitlines()))
        return _USAGE
    if arguments.output == "json":
        sys.stdout.write(json.dumps(_document(schedule, explanation), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(_text(schedule, explanation))
    return _EXPLAINED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="timewright schedule:explain",
        description="Explain a schedule: a sentence, its next ticks and what is special about each, and warnings.",
    )
    add = parser.add_argument
    add("expression", nargs="+", metavar="EXPR", help='for example "30 2 * * *"; several are one schedule')
    add("--tz", metavar="ZONE", help="time zone, such as Europe/Berlin (default: UTC)")
    add("--from", dest="start", metavar="TIME", help="begin after this ISO 8601 time, in UTC by default (default: now)")
    add("--count", type=_positive, default=5, metavar="N", help="how many ticks to show (default: 5)")
    add("-o", "--output", choices=("text", "json"), default="text", help="json is for programs")
    add("--task", metavar="[NAMESPACE/]NAME", help="the task whose own numbers H stands for (namespace: default)")
    add("--native", action="store_true", help="accept only what a batch/v1 CronJob accepts")
    add("--gap", choices=list(Gap), type=Gap, help="what to do with times that do not exist")
    add("--overlap", choices=list(Overlap), type=Overlap, help="what to do with times that happen twice")
    add("--window", action="append", default=[], metavar="WINDOW", help='such as "between 09:00-17:30 on weekdays"')
    add("--anchor", metavar="TIME", help="the instant from which @every counts")
    return parser


def _schedule(arguments: argparse.Namespace) -> Schedule:
    policy = None
    if arguments.gap or arguments.overlap:
        policy = DaylightSaving(arguments.gap or Gap.SKIP, arguments.overlap or Overlap.BOTH)
    return parse(
        arguments.expression,
        time_zone=arguments.tz,
        seed=_seed(arguments.task),
        dialect=Dialect.NATIVE if arguments.native else Dialect.EXTENDED,
        daylight_saving=policy,
        windows=arguments.window,
        anchor=_instant(arguments.anchor) if arguments.anchor else None,
    )


def _seed(task: str | None) -> str | None:
    if task is None:
        return None
    namespace, _, name = task.rpartition("/")
    return seed_of_task(namespace or "default", name)


def _instant(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise ScheduleError(f"{text!r} is not a time", remedy="write it like 2026-03-08T00:00:00Z") from error
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _positive(text: str) -> int:
    number = int(text)
    if not 0 < number <= 10_000:
        raise argparse.ArgumentTypeError("expected a number from 1 to 10000")
    return number


def _document(schedule: Schedule, explanation: Explanation) -> dict[str, object]:
    return {
        "sentence": explanation.sentence,
        "ticks": [
            {"utc": f"{tick.utc:%Y-%m-%dT%H:%M:%SZ}", "local": tick.local.isoformat(), "notes": list(tick.notes)}
            for tick in explanation.ticks
        ],
        "warnings": list(explanation.warnings),
        "native": _native(schedule),
    }


def _native(schedule: Schedule) -> dict[str, object] | None:
    native = _compiled(schedule)
    return None if native is None else {"expressions": list(native.expressions), "gate": native.gate is not None}


def _compiled(schedule: Schedule) -> Compiled | None:
    """Return the nearest that native cron can say, or ``None`` when it can say nothing like it."""
    try:
        return compile_schedule(schedule)
    except ScheduleError:
        return None


def _text(schedule: Schedule, explanation: Explanation) -> str:
    lines = [explanation.sentence, ""]
    lines += [_tick_line(tick) for tick in explanation.ticks]
    if explanation.ticks:
        lines.append("")
    lines += [f"Warning: {warning}." for warning in explanation.warnings]
    lines.append(_native_line(schedule))
    return "\n".join(lines) + "\n"


def _native_line(schedule: Schedule) -> str:
    native = _compiled(schedule)
    if native is None:
        return f"{_NEEDS_DAEMON}; a CronJob cannot say this."
    expressions = json.dumps(list(native.expressions), ensure_ascii=False)
    if native.gate is not None:
        return f"{_NEEDS_DAEMON}; a CronJob of {expressions} would fire too often."
    if len(native.expressions) > 1:
        return f"{_NEEDS_DAEMON}; it would take several CronJobs, of {expressions}."
    return f"As a CronJob: {expressions}."


def _tick_line(tick: ExplainedTick) -> str:
    notes = f"  {'; '.join(tick.notes)}" if tick.notes else ""
    return f"  {tick.local:%a %Y-%m-%d %H:%M:%S %z}  {tick.utc:%Y-%m-%dT%H:%M:%SZ}{notes}"
