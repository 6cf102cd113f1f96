"""Which tasks a process schedules, what it knows of each, and when it has to look at it again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from timewright.engine.agenda import Agenda
from timewright.storage.records import StoredTask

if TYPE_CHECKING:
    from timewright.engine.task import Task
    from timewright.timetable.ticks import Ticks


class Entry:
    """What is known of one task."""

    __slots__ = ("position", "stored", "task")

    def __init__(self, task: Task, stored: StoredTask, position: int) -> None:
        """Begin with what the store tells."""
        self.task = task
        self.stored = stored
        self.position = position
        """Its place in the order of declaration, in which tasks of one second start."""


class Roster:
    """The tasks of a loop, by key, and its agenda."""

    def __init__(self) -> None:
        """Begin empty."""
        self.entries: dict[str, Entry] = {}
        self.agenda = Agenda()
        self.released: set[str] = set()
        """Keys of tasks on which to decide no more."""
        self.former: dict[str, tuple[str, Ticks]] = {}
        """By key: another schedule than its own, to which the watermark of a task may still belong."""

    def __contains__(self, key: object) -> bool:
        """Tell whether a task is scheduled."""
        return key in self.entries

    def __iter__(self) -> Iterator[str]:
        """Return the keys of all tasks."""
        return iter(self.entries)

    def get(self, key: str) -> Entry | None:
        """Return what is known of a task, if it is scheduled."""
        return self.entries.get(key)

    def put(self, task: Task) -> bool:
        """Schedule a task, in place of what was known under its key; tell whether anything was."""
        known = self.entries.get(task.key)
        position = known.position if known else len(self.entries)
        self.entries[task.key] = Entry(task, known.stored if known else StoredTask(task.key), position)
        if known is None:
            return False
        if known.task.schedule_id == known.stored.state.schedule_id:
            self.former[task.key] = known.task.schedule_id, known.task.ticks
        return True

    def remove(self, key: str) -> None:
        """Forget a task."""
        self.entries.pop(key, None)
        self.former.pop(key, None)
        self.released.discard(key)
        self.agenda.put(key, None)

    def differing(self, tasks: Mapping[str, Task]) -> Sequence[Task]:
        """Return those of these tasks that are not scheduled just so."""
        entries = self.entries
        return [task for key, task in tasks.items() if key not in entries or entries[key].task != task]

    def arrange(self, keys: Iterable[str]) -> None:
        """Have tasks of one second start in this order."""
        for position, key in enumerate(keys):
            self.entries[key].position = position

    def in_order(self, keys: Iterable[str]) -> list[str]:
        """Return those of these keys that are scheduled, in the order in which they start."""
        entries = self.entries
        found = [entries[key] for key in keys if key in entries]
        found.sort(key=attrgetter("position"))
        return [entry.task.key for entry in found]

    def former_ticks(self, entry: Entry) -> Ticks | None:
        """Return the ticks of the schedule that a task's watermark belongs to, if that is another one by now."""
        former = self.former.get(entry.task.key)
        if former is None:
            return None
        recorded = entry.stored.state.schedule_id
        if recorded == entry.task.schedule_id:
            del self.former[entry.task.key]
        return former[1] if recorded == former[0] and recorded != entry.task.schedule_id else None

    def look_at(self, keys: Iterable[str]) -> None:
        """Have tasks decided on now, those that are released excepted."""
        for key in keys:
            if key in self.entries and key not in self.released:
                self.agenda.put_off(key, int(time.time()))

    def decided_until(self) -> int:
        """Return an instant, the present one at the latest, up to which no tick of any task is undecided."""
        now, done = int(time.time()), self.agenda.done_until()
        return now if done is None else min(now, done)
