"""Delivers requests that nobody waits for: in order for each lane, again after trouble, never more than there is room.

A lane is one rule of one task. Lanes do not wait for each other, but a host gets a few requests at a time at most.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from timewright import __version__
from timewright.decisions.notice_rules import is_allowed
from timewright.runner.http_client import import_httpx
from timewright.runner.request_errors import explain

logger = logging.getLogger(__name__)

REQUEST_SECONDS = 10.0
"""How long one request may take."""

WAITS = (1.0, 4.0, 15.0, 60.0)
"""Seconds before each further attempt, of which a random part is left out."""

MOST = 1_000
"""How many requests wait at most."""

MOST_IN_LANE = 50

_PER_HOST = 4
_TELL_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Parcel:
    """One request to make. Neither its URL nor its headers are ever logged."""

    lane: str
    """What it is of, in words for a log."""
    channel: str
    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: dict[str, Any] | None = field(default=None, repr=False)


class _Slots(asyncio.Semaphore):
    """The requests to one host."""


class Courier:
    """Makes requests in the background."""

    def __init__(
        self,
        count: Callable[[str, str], None],
        *,
        allowed_hosts: tuple[str, ...] = ("*",),
        waits: tuple[float, ...] = WAITS,
        request_seconds: float = REQUEST_SECONDS,
        most: int = MOST,
    ) -> None:
        """Begin with nothing to do.

        `count` is told channel and result: delivered, retried, dropped, refused. `allowed_hosts` is as
        `decisions.notice_rules.is_allowed` takes it.
        """
        self.waiting = 0
        """How many requests have not been made, or not with success."""
        self._count, self._allowed, self._waits = count, allowed_hosts, waits
        self._seconds, self._most = request_seconds, most
        self._lanes: dict[str, deque[Parcel]] = {}
        self._working: dict[str, asyncio.Task[None]] = {}
        self._slots: WeakValueDictionary[str, _Slots] = WeakValueDictionary()
        self._client: Any = None
        self._overflown = 0
        self._told_at = -_TELL_SECONDS

    def submit(self, parcel: Parcel) -> bool:
        """Take a request; tell whether there was room. Returns at once."""
        lane = self._lanes.setdefault(parcel.lane, deque())
        if self.waiting >= self._most or len(lane) >= MOST_IN_LANE:
            if not lane and parcel.lane not in self._working:
                del self._lanes[parcel.lane]
            self._overflow(parcel)
            return False
        lane.append(parcel)
        self.waiting += 1
        if parcel.lane not in self._working:
            self._working[parcel.lane] = asyncio.ensure_future(self._work(parcel.lane))
        return True

    def drop(self, channel: str) -> None:
        """Count a request that could not even be made up."""
        self._count(channel, "dropped")

    async def close(self, seconds: float = 3.0) -> None:
        """Give what waits a moment, then let go of it."""
        if self._working:
            await asyncio.wait(self._working.values(), timeout=seconds)
        left = list(self._working.values())
        if self.waiting:
            logger.warning("%d notices were not delivered before the end", self.waiting)
        for each in left:
            each.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    async def _work(self, name: str) -> None:
        lane = self._lanes[name]
        try:
            while lane:
                try:
                    await self._deliver(lane[0])
                finally:
                    lane.popleft()
                    self.waiting -= 1
        finally:
            self.waiting -= len(lane)
            del self._lanes[name], self._working[name]

    async def _deliver(self, parcel: Parcel) -> None:
        try:
            url = import_httpx().URL(parcel.url)
        except Exception:  # noqa: BLE001 - whatever it raises would show the URL
            return self._give_up(parcel, "dropped", "its URL cannot be read; correct it, or the Secret that it is in")
        if not is_allowed(url.host, self._allowed):
            text = f"host {url.host!r} is not one that notices may go to; have the administrator allow it"
            return self._give_up(parcel, "refused", text)
        problem, is_final = "", False
        for attempt in range(len(self._waits) + 1):
            if attempt:
                self._count(parcel.channel, "retried")
                await asyncio.sleep(self._waits[attempt - 1] * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load
            slots = self._slots.setdefault(f"{url.host}:{url.port}", _Slots(_PER_HOST))
            async with slots:
                problem, is_final = await self._request(parcel, url)
            if not problem:
                return self._count(parcel.channel, "delivered")
            if is_final:
                break
        return self._give_up(parcel, "dropped", f"{url.host}: {problem}")

    async def _request(self, parcel: Parcel, url: Any) -> tuple[str, bool]:
        """Make a request once; return what went wrong, if anything did, and whether trying again is of no use."""
        if self._client is None:
            headers = {"User-Agent": f"timewright/{__version__}"}
            self._client = import_httpx().AsyncClient(headers=headers, timeout=None, follow_redirects=False)
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._client.stream(parcel.method, url, headers=dict(parcel.headers), json=parcel.body) as response,
            ):
                status = int(response.status_code)
        except TimeoutError:
            return f"no answer within {self._seconds:g} s", False
        except Exception as error:  # noqa: BLE001 - whatever a client raises, the request has failed
            if type(error).__name__ == "LocalProtocolError":  # its text shows the header
                return "a header has a name or a value that cannot be sent; correct it, or the Secret it is in", True
            return explain(error, self._seconds).replace(parcel.url, "its URL"), False
        if 200 <= status < 300:
            return "", True
        return f"answered {status}", status < 500 and status not in (408, 425, 429)

    def _give_up(self, parcel: Parcel, result: str, problem: str) -> None:
        self._count(parcel.channel, result)
        logger.warning("%s: a notice was not delivered: %s", parcel.lane, problem)

    def _overflow(self, parcel: Parcel) -> None:
        self._count(parcel.channel, "dropped")
        self._overflown += 1
        now = asyncio.get_running_loop().time()
        if now - self._told_at >= _TELL_SECONDS:
            logger.warning("%s: %d notices were dropped, since too many wait already", parcel.lane, self._overflown)
            self._told_at, self._overflown = now, 0
