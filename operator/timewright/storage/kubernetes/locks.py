"""Locks in the memory of the process that leads: nobody else runs anything meanwhile."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

from timewright.storage.granting import Blocked, Demand, grant
from timewright.storage.protocol import Lock


class Locks:
    """Locks, and semaphores, which are locks with several places. See `storage.protocol.Store.acquire`."""

    def __init__(self) -> None:
        """Begin with none held."""
        self._held: dict[tuple[str, str], Lock] = {}
        """By their names and holders: there is one owner."""
        self._tokens = itertools.count(int(time.time() * 1000))

    def acquire(self, owner: str, name: str, holder: str, places: int) -> Lock | None:
        """Take one of the places, unless the holder has one; return None when there is none left."""
        known = self._held.get((name, holder))
        if known is not None:
            return known
        if sum(each.name == name for each in self._held.values()) >= places:
            return None
        return self.hold(owner, name, holder)

    def acquire_all(self, owner: str, demands: Sequence[Demand]) -> Sequence[Blocked | None]:
        """Take for each holder all that it wants, or none; tell of each what stands in its way."""
        held: dict[str, list[str]] = {}
        for name, holder in self._held:
            held.setdefault(name, []).append(holder)
        answers = grant(demands, held)
        for demand, blocked in zip(demands, answers, strict=True):
            for name in demand.slots if blocked is None else ():
                self.hold(owner, name, demand.holder)
        return answers

    def hold(self, owner: str, name: str, holder: str) -> Lock:
        """Note that a lock is held, however many hold it."""
        known = self._held.get((name, holder))
        if known is None:
            known = Lock(name, owner, holder, next(self._tokens), int(time.time()), alive=True)
            self._held[name, holder] = known
        return known

    def release(self, owner: str, name: str, holder: str) -> bool:
        """Give a place back; tell whether it was held."""
        return self._held.pop((name, holder), None) is not None

    def all(self) -> Sequence[Lock]:
        """List all that are held."""
        return list(self._held.values())

    def break_(self, name: str, token: int) -> bool:
        """Free a place, whoever holds it; tell whether it was held."""
        for key, lock in self._held.items():
            if lock.name == name and lock.token == token:
                del self._held[key]
                return True
        return False
