"""Which tasks to look at when: a calendar with one page per second."""

from __future__ import annotations

import heapq


class Agenda:
    """Keys of tasks by the second, in UTC seconds, at which to decide on them. Each key stands on one page at most."""

    def __init__(self) -> None:
        """Begin empty."""
        self._taken: dict[str, int] = {}
        self._put_off: dict[str, int] = {}
        """By key: the second at which it stood before, whose ticks are undecided."""
        self._pages: dict[int, dict[str, None]] = {}
        self._seconds: list[int] = []
        self._second_of: dict[str, int] = {}

    def __len__(self) -> int:
        """Return how many keys it holds."""
        return len(self._second_of)

    def __contains__(self, key: str) -> bool:
        """Tell whether it holds a key."""
        return key in self._second_of

    def put(self, key: str, second: int | None) -> None:
        """Move a key to a second, or take it off the agenda."""
        self._taken.pop(key, None)
        if self._put_off:
            self._put_off.pop(key, None)
        self._move(key, second)

    def put_off(self, key: str, second: int | None) -> None:
        """Do the same with a key although nobody has decided at the second where it stood, or from which it was taken.

        That stays undecided until the key is `put` somewhere.
        """
        places = (self.undecided_since(key), self._second_of.get(key))
        since = min((each for each in places if each is not None), default=None)
        if since is not None:
            self._put_off[key] = since
        self._move(key, second)

    def shelve(self, key: str) -> None:
        """Put a key that was taken off the agenda, undecided."""
        self.put_off(key, None)
        self._taken.pop(key, None)

    def _move(self, key: str, second: int | None) -> None:
        before = self._second_of.get(key)
        if before == second:
            return
        if before is not None:
            self._pages[before].pop(key, None)
            del self._second_of[key]
        if second is None:
            return
        self._second_of[key] = second
        page = self._pages.get(second)
        if page is None:
            page = self._pages[second] = {}
            heapq.heappush(self._seconds, second)
        page[key] = None

    def first(self) -> int | None:
        """Return the first second that has keys."""
        while self._seconds and not self._pages[self._seconds[0]]:
            del self._pages[heapq.heappop(self._seconds)]
        return self._seconds[0] if self._seconds else None

    def take(self, until: int) -> list[str]:
        """Take off, and return in the order of their seconds, the keys up to and including a second."""
        taken: list[str] = []
        while self._seconds and self._seconds[0] <= until:
            page = self._pages.pop(heapq.heappop(self._seconds))
            taken += page
            for key in page:
                self._taken[key] = self._second_of.pop(key)
        return taken

    def undecided_since(self, key: str) -> int | None:
        """Return the first second at which a key was to be decided on and was not; None where there is none."""
        places = (self._put_off.get(key), self._taken.get(key))
        return min((each for each in places if each is not None), default=None)

    def is_taken(self, key: str) -> bool:
        """Tell whether a key was taken and not put back yet."""
        return key in self._taken

    def done_until(self) -> int | None:
        """Return the last second up to which no key stands, or was taken or put off; None without any such."""
        seconds = [*self._taken.values(), *self._put_off.values()]
        first = self.first()
        if first is not None:
            seconds.append(first)
        return min(seconds) - 1 if seconds else None
