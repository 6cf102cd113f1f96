"""How a task runs: overlaps, machines, attempts, limits, ticks that nobody was there for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from timewright.resources.vocabulary import ConcurrencyPolicy, MissedRunsPolicy, OnLost
from timewright.schedule.choices import read_choice
from timewright.schedule.fluent import Changed, Fluent, contradiction, refusal
from timewright.schedule.parameters import declared
from timewright.schedule.sizes import read_size
from timewright.schedule.times_of_day import Duration, read_duration, read_seconds
from timewright.timetable.jitter import LONGEST

if TYPE_CHECKING:
    from collections.abc import Iterable


class Policies(Fluent[Changed]):
    """How it runs."""

    __slots__ = ()

    def named(self, name: str) -> Changed:
        """Give it a name: its identity in the store, together with the schedule's. Unique within the schedule."""
        from timewright.schedule.names import check_name

        changed, settings = self._change()
        check_name("named", name)
        settings.name = name
        return changed

    def description(self, text: str) -> Changed:
        """Say what it is for; shown in lists."""
        changed, settings = self._change()
        settings.description = text
        return changed

    def without_overlapping(self) -> Changed:
        """Skip a tick while an earlier run is active. Its lock frees itself when whoever holds it is gone."""
        return self.overlap("Forbid")

    def overlap(self, policy: str, *, max_concurrent: int | None = None, max_queued: int | None = None) -> Changed:
        """Say what becomes of a tick while earlier runs are active.

        Args:
            policy: `Allow` starts it, `Forbid` skips it, `Queue` lets it wait, `Replace` ends the active run first.
            max_concurrent: how many runs may be active at once: 1, or unlimited under `Allow`, when left out.
            max_queued: how many may wait under `Queue`; further ticks are skipped.

        """
        changed, settings = self._change()
        settings.concurrency = read_choice("overlap", policy, ConcurrencyPolicy)
        settings.max_concurrent = max_concurrent if max_concurrent is None else _count("max_concurrent", max_concurrent)
        if max_queued is not None:
            settings.max_queued = _count("max_queued", max_queued)
        return changed

    def locks(self, *names: str) -> Changed:
        """Hold locks while it runs, all of them or none; others that name one wait their turn, in the order of ticks.

        A lock belongs to the store: all schedules that share it take turns. `Schedule(…, locks={"warehouse": 2})` says
        how many may hold one at once; others have one slot. To be said once, with all names.
        """
        changed, settings = self._change()
        if not names or len(names) > _MOST_LOCKS or len(set(names)) < len(names):
            raise refusal("locks", names, "does not fit", f"write from 1 to {_MOST_LOCKS} names, each once")
        for name in names:
            check_lock(name)
        settings.locks = tuple(sorted(names))
        return changed

    def skip_if_locked(self) -> Changed:
        """Skip a tick whose locks others hold, rather than let it wait."""
        changed, settings = self._change()
        settings.skip_if_locked = True
        return changed

    def jitter(self, longest: Duration) -> Changed:
        """Put each start off by up to so many seconds, never beyond the next tick; its nominal time stays as it is.

        By how many follows from the task and the tick, so that all machines agree and tasks come apart.
        """
        changed, settings = self._change()
        seconds = read_seconds("jitter", longest, minimum=1)
        if seconds > LONGEST:
            raise refusal("jitter", longest, "is too long", f"write up to {LONGEST} seconds")
        settings.jitter = seconds
        return changed

    def on_one_server(self) -> Changed:
        """Run each tick on one of all machines that share the store."""
        changed, settings = self._change()
        settings.one_server = True
        return changed

    def on_every_server(self) -> Changed:
        """Run each tick on every machine, though they share a store; overlaps are judged on each machine alone."""
        changed, settings = self._change()
        settings.one_server = False
        return changed

    def run_in_background(self) -> Changed:
        """Run beside other tasks that are due. This is the default; it undoes `in_order()` of a group."""
        changed, settings = self._change()
        settings.in_background = True
        return changed

    def in_order(self) -> Changed:
        """Run, in one `schedule:run`, after the tasks declared before that are in order too, one at a time."""
        changed, settings = self._change()
        settings.in_background = False
        return changed

    def retry(
        self, limit: int, *, backoff: Duration = 10, max_backoff: Duration | None = None, jitter: float = 0.1
    ) -> Changed:
        """Try a run that failed again, under the same nominal time.

        Args:
            limit: how many attempts may follow the first.
            backoff: seconds to wait before the second attempt; each later wait is doubled.
            max_backoff: the longest wait; 600 seconds, or `backoff` where that is more, when left out.
            jitter: the share of each wait that is left to chance, from 0 to 1.

        """
        changed, settings = self._change()
        if isinstance(limit, bool) or not isinstance(limit, int) or not 0 <= limit <= _MOST_RETRIES:
            raise refusal("retry limit", limit, "does not fit", f"write a number from 0 to {_MOST_RETRIES}")
        first = read_duration("retry backoff", backoff)
        longest = max(600.0, first) if max_backoff is None else read_duration("retry max_backoff", max_backoff)
        if longest < first:
            raise refusal("retry max_backoff", max_backoff, "is less than backoff", "raise it, or lower backoff")
        if isinstance(jitter, bool) or not isinstance(jitter, int | float) or not 0 <= jitter <= 1:
            raise refusal("retry jitter", jitter, "does not fit", "write a share from 0 to 1")
        settings.retry = (limit, first, longest, jitter)
        return changed

    def timeout(self, limit: Duration) -> Changed:
        """End an attempt after so many seconds; it counts as failed with reason TimedOut.

        A function that is not async then runs in a child process, since a thread cannot be ended.
        """
        changed, settings = self._change()
        settings.timeout = read_seconds("timeout", limit, minimum=1)
        return changed

    def memory_limit(self, size: int | str) -> Changed:
        """Let a run have no more memory than this: bytes, or a text such as `512Mi`. Functions run in a child."""
        changed, settings = self._change()
        settings.memory_limit = read_size("memory_limit", size)
        return changed

    def isolated(self) -> Changed:
        """Run a function in a child process, where nothing it does can harm others."""
        changed, settings = self._change()
        settings.isolated = True
        return changed

    def missed_runs(self, policy: str, *, max_runs: int = 10, max_age: Duration | None = None) -> Changed:
        """Say what becomes of ticks that nobody was there for.

        Args:
            policy: `Skip` records them as Missed, `Latest` (the default) runs the latest, `All` runs all of them.
            max_runs: the most ticks that `All` makes up for at once.
            max_age: ticks older than so many seconds are not made up for.

        """
        changed, settings = self._change()
        age = None if max_age is None else read_seconds("missed_runs max_age", max_age, minimum=1)
        runs = _count("missed_runs max_runs", max_runs)
        settings.missed_runs = (read_choice("missed_runs", policy, MissedRunsPolicy), runs, age)
        return changed

    def starting_deadline(self, limit: Duration) -> Changed:
        """Let a run start no later than so many seconds after its tick; later the tick is Missed."""
        changed, settings = self._change()
        settings.starting_deadline = read_seconds("starting_deadline", limit)
        return changed

    def on_resume(self, policy: str) -> Changed:
        """Say what becomes of the ticks of a pause once it is over: `Skip` (the default), `Latest` or `All`."""
        changed, settings = self._change()
        settings.on_resume = read_choice("on_resume", policy, MissedRunsPolicy)
        return changed

    def on_schedule_change(self, policy: str) -> Changed:
        """Say what becomes of the past ticks of a schedule that changed: `Skip` (the default), `Latest` or `All`."""
        changed, settings = self._change()
        settings.on_schedule_change = read_choice("on_schedule_change", policy, MissedRunsPolicy)
        return changed

    def on_lost(self, policy: str) -> Changed:
        """Say what becomes of a run whose machine is gone: `Record` it as Lost (the default), or `Rerun` it."""
        changed, settings = self._change()
        settings.on_lost = read_choice("on_lost", policy, OnLost)
        return changed

    def keep_history(
        self, *, succeeded_runs: int = 100, other_runs: int = 100, max_age: Duration | None = None
    ) -> Changed:
        """Keep records of so many finished runs, none older than so many seconds."""
        changed, settings = self._change()
        settings.history = (
            _count("keep_history succeeded_runs", succeeded_runs, minimum=0),
            _count("keep_history other_runs", other_runs, minimum=0),
            None if max_age is None else read_seconds("keep_history max_age", max_age, minimum=1),
        )
        return changed

    def parameter(
        self,
        name: str,
        *,
        type: type | None = None,  # noqa: A002 - what it is called everywhere
        default: Any = None,
        allowed_values: Iterable[Any] | None = None,
        description: str = "",
    ) -> Changed:
        """Declare a value that a run by hand may vary. A function gets it as a keyword argument.

        Args:
            name: its name, an identifier.
            type: `str`, `int`, `float` or `bool`; that of the default, or `str`, when left out.
            default: the value where a run names none, scheduled runs included.
            allowed_values: the only values that are accepted.
            description: what it is for.

        """
        changed, settings = self._change()
        made = declared(name, type, default, allowed_values, description)
        if any(each.name.upper() == name.upper() for each in settings.parameters):
            raise contradiction("parameter", f"declares {name!r} again, whatever its case", "choose another name")
        settings.parameters = (*settings.parameters, made)
        return changed

    def with_environment(self, variables: Mapping[str, str]) -> Changed:
        """Give it environment variables besides those of this process. A function that has any runs in a child."""
        changed, settings = self._change()
        if not all(isinstance(part, str) for pair in variables.items() for part in pair):
            raise refusal("with_environment", variables, "has a name or value that is no text", "write texts")
        settings.environment = (*settings.environment, *variables.items())
        return changed


_MOST_RETRIES = 100
_MOST_LOCKS = 8
_LOCK_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def check_lock(name: str) -> None:
    """Refuse what is no name of a lock; raises DeclarationError."""
    if not isinstance(name, str) or _LOCK_NAME.fullmatch(name) is None:
        remedy = "write up to 63 letters in lower case, digits and hyphens, such as 'warehouse'"
        raise refusal("lock", name, "is no name of a lock", remedy)


def _count(field: str, value: int, minimum: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise refusal(field, value, "does not fit", f"write a whole number, {minimum} or more")
    return value
