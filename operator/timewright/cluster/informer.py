"""Keeps somebody informed of all objects of one kind: lists them, watches them, and lists again when in doubt.

What is heard of an object is handed on and forgotten; kept are names and UIDs, to tell what is gone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from timewright.cluster.api import Api, ApiError, Manifest, Resource
from timewright.cluster.streaming import watch

logger = logging.getLogger(__name__)

RELIST_SECONDS = 600.0
"""How often everything is listed again, in case an event was missed."""

WATCH_SECONDS = 240
"""How long the server keeps one watch open."""

SILENCE_SECONDS = 90.0
"""How long a watch may be quiet before its connection counts as dead: bookmarks come about once a minute."""

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_GONE = 410


class Informer:
    """Hears of the objects of one kind in a namespace."""

    def __init__(
        self,
        api: Api,
        resource: Resource,
        namespace: str | None,
        put: Callable[[Manifest], None],
        drop: Callable[[str, str], None],
        label_selector: str = "",
        watching: Any = watch,
        prepare: Callable[[list[Manifest]], Awaitable[object]] | None = None,
    ) -> None:
        """Call `put` with each object that is there or has changed, and `drop` with name and UID of each that is gone.

        `prepare` is awaited with objects before they are put, for what takes time and must not hold up anything else.
        Where `put` raises, that object is passed over, and the log says so. An object may be put again although
        nothing about it has changed.
        """
        self.synced = asyncio.Event()
        """Set once everything was listed for the first time."""
        self.heard_at = 0.0
        """When the API server was last heard, on the monotonic clock."""
        self._api, self._resource, self._namespace, self._selector = api, resource, namespace, label_selector
        self._put, self._drop, self._watching, self._prepare = put, drop, watching, prepare
        self._known: dict[str, str] = {}

    async def run(self) -> None:
        """Go on until cancelled."""
        pause = _SHORTEST_PAUSE
        while True:
            try:
                version = await self._list()
                pause = _SHORTEST_PAUSE
                await self._watch(version)
            except ApiError as error:
                if error.status != _GONE:
                    logger.warning("cannot watch %s: %s", self._resource.plural, error)
            except (OSError, aiohttp.ClientError) as error:
                text = str(error) or type(error).__name__
                logger.warning("lost the watch of %s: %s", self._resource.plural, text)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _list(self) -> str:
        """Hand everything on, tell what is gone, and return the version of the list."""
        seen: dict[str, str] = {}
        version = ""
        async for page in self._api.list_pages(self._resource, self._namespace, self._selector):
            version = page["metadata"]["resourceVersion"]
            bodies = page.get("items") or []
            seen |= {body["metadata"]["uid"]: body["metadata"]["name"] for body in bodies}
            await self._hand_on(bodies)
            await asyncio.sleep(0)
        for uid, name in self._known.items():
            if uid not in seen:
                self._drop(name, uid)
        self._known = seen
        self.heard_at = time.monotonic()
        self.synced.set()
        return version

    async def _watch(self, version: str) -> None:
        """Hand on what changes, until it is time to list again."""
        until = time.monotonic() + RELIST_SECONDS
        while time.monotonic() < until:
            events = self._watching(
                self._api,
                self._resource,
                self._namespace,
                label_selector=self._selector,
                version=version,
                seconds=WATCH_SECONDS,
                silence=SILENCE_SECONDS,
            )
            async for kind, body in events:
                self.heard_at = time.monotonic()
                version = body["metadata"]["resourceVersion"]
                if kind == "BOOKMARK":
                    continue
                uid, name = body["metadata"]["uid"], body["metadata"]["name"]
                if kind == "DELETED":
                    self._known.pop(uid, None)
                    self._drop(name, uid)
                else:
                    self._known[uid] = name
                    await self._hand_on([body])

    async def _hand_on(self, bodies: list[Manifest]) -> None:
        if self._prepare is not None:
            await self._prepare(bodies)
        for body in bodies:
            try:
                self._put(body)
            except Exception:  # one object that nobody has foreseen must not hide all others
                kind, name = self._resource.plural, body["metadata"]["name"]
                logger.exception("timewright failed on %s of %s, and goes on with the others", name, kind)
