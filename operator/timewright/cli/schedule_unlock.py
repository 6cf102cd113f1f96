"""`timewright schedule:unlock`: gives up runs that hang for good, or frees a lock."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from timewright.cli import printing
from timewright.cli.exit_codes import RUN_FAILED, SUCCEEDED, usage_error
from timewright.cli.schedule_command import ask, conclude, wait_for
from timewright.cli.schedule_options import EXIT_CODES, parser_of
from timewright.cli.schedule_source import opened, store_of
from timewright.cli.schedule_tasks import find
from timewright.engine.unlocking import Effect, unlock

if TYPE_CHECKING:
    import argparse

    from timewright.storage.protocol import Lock

_DESCRIPTION = """\
Give up the runs of a task whose process is gone: each is recorded as Lost, and no longer stands in the way of the
next. This happens by itself with the next tick, so it is needed with --force alone: for a run that hangs for good in a
process that is alive. That process goes on; what it does then is not recorded. See schedule:interrupt first.
"""

_WORDS = {
    Effect.LOST: "given up; it is recorded as Lost",
    Effect.TO_RERUN: "given up; the next schedule:run or schedule:work starts it again, as the task says",
    Effect.ALIVE: "is active in a process that is alive; schedule:interrupt asks for its end, --force gives it up",
    Effect.WAITS: "waits for room; schedule:interrupt ends it",
}


def run(arguments: Sequence[str]) -> int:
    """Unlock a task or a lock; return the exit code."""
    options = _parser().parse_args(arguments)
    return conclude(lambda: _free(options) if options.lock else _give_up(options))


def _parser() -> argparse.ArgumentParser:
    epilog = f"Exit code 1 also when something was left as it is, since a process that is alive has it.\n\n{EXIT_CODES}"
    parser = parser_of("schedule:unlock", _DESCRIPTION, epilog)
    parser.add_argument("name", metavar="NAME", help="the task, or with --lock the lock")
    parser.add_argument("--lock", action="store_true", help="free the named lock, rather than the runs of a task")
    parser.add_argument("--force", action="store_true", help="even if whoever has it is alive")
    return parser


def _give_up(options: argparse.Namespace) -> int:
    here = opened(options, notes=False)
    task = find(here.tasks, options.name)
    unlocked = wait_for(unlock(task, here.store, force=options.force))
    for each in unlocked:
        printing.write(f"{task.name}: {each.run_id} {_WORDS[each.effect]}\n")
    if not unlocked:
        printing.write(f"{task.name}: no run is active, so there is nothing to unlock\n")
    return RUN_FAILED if any(each.effect is Effect.ALIVE for each in unlocked) else SUCCEEDED


def _free(options: argparse.Namespace) -> int:
    """Free a lock. It belongs to the store, so no schedule has to be named."""
    store = opened(options, notes=False).store if options.app or options.files else store_of(options.store)
    held = ask(store, store.locks)
    wanted = [lock for lock in held if lock.name == options.name]
    if not wanted:
        names = ", ".join(dict.fromkeys(lock.name for lock in held)) or "none"
        usage_error(f"nobody holds a lock {options.name!r}; held are: {names}")
    left = 0
    for lock in wanted:
        if lock.alive and not options.force:
            left += 1
            printing.write(f"{_held(lock)}, which is alive; --force frees it\n")
        else:
            ask(store, partial(store.break_lock, lock.name, lock.token))
            printing.write(f"{_held(lock)}; freed\n")
    return RUN_FAILED if left else SUCCEEDED


def _held(lock: Lock) -> str:
    return f"{lock.name}: held for {lock.holder} by {lock.owner.rpartition('/')[0]}"
