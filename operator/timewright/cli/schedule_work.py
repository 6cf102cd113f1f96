"""`timewright schedule:work`: runs every tick at its second, until it is told to end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from timewright import __version__
from timewright.cli.exit_codes import SUCCEEDED, by_signal
from timewright.cli.schedule_command import conclude, wait_for
from timewright.cli.schedule_options import add_output, count, parser_of
from timewright.cli.schedule_source import declaration_errors, watched
from timewright.cli.signals import SignalTaker
from timewright.cli.work_log import WorkLog
from timewright.engine.surroundings import PROCESSES, Surroundings
from timewright.engine.work import DRAIN_SECONDS, work
from timewright.resources.vocabulary import Outcome

if TYPE_CHECKING:
    import argparse

    from timewright.engine.executor import Executor
    from timewright.engine.task import Task
    from timewright.engine.work import Source
    from timewright.storage.protocol import Store
    from timewright.storage.records import RunRecord

_DESCRIPTION = """\
Run every tick at its second, until told to end. When a manifest or a module of the application changes, the schedule
is taken over from there without a restart; if it cannot be read, the one before stays.

SIGTERM and Ctrl-C: no more runs start, those that are active have --drain-seconds to end; a second one ends them at
once. SIGHUP: the schedule is read again.
"""

_EPILOG = """\
Exit codes: 0 ended as asked for, 2 the arguments or the schedule are wrong, 3 the store cannot be used,
128 + n runs had to be ended after signal n.
"""


def run(arguments: Sequence[str]) -> int:
    """Schedule until a signal comes; return the exit code."""
    options = _parser().parse_args(arguments)
    return conclude(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = parser_of("schedule:work", _DESCRIPTION, _EPILOG)
    parser.add_argument(
        "--drain-seconds",
        type=float,
        default=DRAIN_SECONDS,
        metavar="N",
        help=f"how long runs that are active may go on once this is asked to end (default: {DRAIN_SECONDS:g})",
    )
    parser.add_argument(
        "--parallel",
        type=count,
        default=PROCESSES,
        metavar="N",
        help=f"how many runs that take a thread, a process or a connection are active at once (default: {PROCESSES})",
    )
    parser.add_argument("--quiet", action="store_true", help="log only what a person should look at")
    add_output(parser, "text", "json", help="json logs an object a line, for programs")
    return parser


def _run(options: argparse.Namespace) -> int:
    as_json = options.output == "json"
    log = WorkLog(as_json=as_json, quiet=options.quiet)
    source, store = watched(options, log.warn)
    reloading = _Reloading(source, lambda number: _say_begin(log, number, store))
    working = _Working(reloading, log)
    with declaration_errors():
        wait_for(
            work(
                reloading,
                store,
                surroundings=Surroundings(
                    refusal=store.unprotected,
                    processes=options.parallel,
                    live=not options.quiet,
                    says=not as_json,
                    shown_on=(1, 1) if as_json else (1, 2),
                    frame_of=log.frame,
                ),
                tell=log.warn,
                on_begin=working.begin,
                drain_seconds=options.drain_seconds,
            )
        )
    log.say("ended")
    return working.exit_code


def _say_begin(log: WorkLog, tasks: int, store: Store) -> None:
    text = f"schedule:work {__version__} is process {os.getpid()}: {_number(tasks, 'task')}, recorded in {store.name}"
    log.say(text, tasks=tasks, store=store.name, process=os.getpid())


def _number(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


class _Reloading:
    """A source that can be told to be read again."""

    def __init__(self, source: Source, begin: Callable[[int], None]) -> None:
        """Call `begin` with the number of tasks once they are read for the first time."""
        self._source = source
        self._begin: Callable[[int], None] | None = begin
        self.is_asked = False

    def load(self) -> Sequence[Task]:
        """Return the tasks as they are declared now."""
        self.is_asked = False
        tasks = self._source.load()
        begin, self._begin = self._begin, None
        if begin is not None:
            begin(len(tasks))
        return tasks

    def has_changed(self) -> bool:
        """Tell whether to read it again."""
        return self.is_asked or self._source.has_changed()


class _Working:
    """Passes signals on to the runs of this process."""

    def __init__(self, source: _Reloading, log: WorkLog) -> None:
        self._source = source
        self._log = log
        self._executor: Executor | None = None
        self._signal: signal.Signals | None = None
        self._has_ended_runs = False

    @property
    def exit_code(self) -> int:
        """0, unless runs had to be ended."""
        return by_signal(self._signal) if self._signal is not None and self._has_ended_runs else SUCCEEDED

    def begin(self, executor: Executor) -> None:
        """Take signals from now on, on the event loop that is running."""
        self._executor = executor
        executor.on_outcomes = self._outcomes
        SignalTaker(self._take, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))

    def _outcomes(self, task: Task, runs: Sequence[RunRecord]) -> None:
        if self._signal is not None and any(run.outcome is Outcome.CANCELLED for run in runs):
            self._has_ended_runs = True
        self._log.outcomes(task, runs)

    def _take(self, number: signal.Signals) -> None:
        if number is signal.SIGHUP:
            self._reload()
        else:
            self._stop(number)

    def _reload(self) -> None:
        self._source.is_asked = True
        self._log.say("SIGHUP: the schedule is read again")

    def _stop(self, number: signal.Signals) -> None:
        executor = self._executor
        if executor is None:
            return
        if self._signal is None:
            self._signal = number
            active = len(executor.active)
            self._log.say(
                f"{number.name}: nothing new starts; {_number(active, 'run')} may go on to the end", active=active
            )
            executor.begin_to_stop()
        else:
            self._log.say(f"{number.name} again: {_number(len(executor.active), 'run')} must end now")
            executor.stop_all(f"schedule:work was stopped by {number.name}, twice")
