"""A process of its own that uses a store: `python -m tests.storage.worker URL LEASE OWNER`.

Reads one request a line and answers each with a line: both JSON, `[name, *arguments]` and `{"result"}` or `{"error"}`.
"""

import asyncio
import json
import sys
from typing import Any

from tests.storage.making import NOON, TASK, change, ended, run
from timewright.storage.location import store_of
from timewright.storage.protocol import Store, StoreError


class Worker:
    def __init__(self, store: Store, owner: str) -> None:
        self._store = store
        self._owner = owner

    async def ready(self) -> None:
        """Answer as soon as there is somebody to answer."""

    async def renew(self) -> None:
        await self._store.renew(self._owner)

    async def claim(self, at: int) -> bool:
        """Claim the run of one time, as whoever decides on the task as it is now."""
        version = (await self._store.load([TASK]))[TASK].version
        (is_made,) = await self._store.commit(self._owner, [change(version, run(at), watermark=at)])
        return is_made

    async def race(self, count: int) -> list[int]:
        """Claim the ticks of `count` seconds, each unless somebody has; return the ones that were had."""
        won = []
        for at in range(NOON, NOON + count):
            known = (await self._store.load([TASK]))[TASK]
            if known.state.watermark is not None and known.state.watermark >= at:
                continue
            (is_made,) = await self._store.commit(self._owner, [change(known.version, run(at), watermark=at)])
            if is_made:
                won.append(at)
                await self._store.finish(self._owner, [ended(at)])
        return won

    async def finish(self, at: int) -> bool:
        (is_recorded,) = await self._store.finish(self._owner, [ended(at)])
        return is_recorded

    async def acquire(self, name: str) -> bool:
        return await self._store.acquire(self._owner, name, "run") is not None

    async def release(self, name: str) -> bool:
        return await self._store.release(self._owner, name, "run")


async def main(url: str, lease_seconds: float, owner: str) -> None:
    store = store_of(url, {})
    store.lease_seconds = lease_seconds
    worker = Worker(store, owner)
    while line := await asyncio.to_thread(sys.stdin.readline):
        name, *arguments = json.loads(line)
        answer: dict[str, Any]
        try:
            answer = {"result": await getattr(store if name == "open" else worker, name)(*arguments)}
        except StoreError as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), sys.argv[3]))
