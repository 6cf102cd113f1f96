"""How fast daemons are, beside their peers in the same run. Exits 1 when a target is missed.

- jobs: 1,000 tasks whose runs are Jobs, due in one minute, beside the native controller with and without its flags.
- bursts: 10,000 async functions due in the same second, beside APScheduler 3 and robfig/cron.
- edits: how soon an edit takes effect and a daemon starts, with 10,000 tasks.
- scale: memory and idle CPU time by number of tasks.

Needs root and Go: every measurement has a control plane to itself. `--share` makes all numbers smaller.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.daemon import bursts, edits, jobs, scale
from benchmarks.daemon.table import Table

PARTS = ("jobs", "bursts", "edits", "scale")


def main() -> int:
    """Measure, print, and tell whether all targets are met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.daemon", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure, default all")
    parser.add_argument("--share", type=float, default=1.0, help="what part of the usual numbers")
    arguments = parser.parse_args()
    parts = arguments.parts or PARTS
    table = Table()

    def scaled(number: int) -> int:
        return max(1, round(number * arguments.share))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "jobs" in parts:
            table.title(f"{scaled(1_000):,} tasks due in one minute: until their Jobs exist")
            jobs.measure(table, folder, scaled(1_000))
        if "bursts" in parts:
            table.title(f"{scaled(10_000):,} async tasks due in the same second, every 5 s for a minute: start delay")
            bursts.measure(table, folder, scaled(10_000))
        if "edits" in parts:
            table.title(f"beside {scaled(10_000):,} tasks")
            edits.measure(table, folder, scaled(10_000))
        if "scale" in parts:
            table.title("tasks that are not due")
            scale.measure(table, folder, [scaled(each) for each in (1_000, 10_000, 30_000)])
    print("\nall targets are met" if not table.missed else f"\nmissed: {'; '.join(table.missed)}")
    return int(bool(table.missed))


if __name__ == "__main__":
    sys.exit(main())
