"""One replica works at a time: the one that holds the Lease.

The rules are client-go's (k8s.io/client-go/tools/leaderelection): a Lease is free once nobody has renewed it for its
duration, measured on the watcher's own monotonic clock from when it last saw the Lease change, so that clocks need not
agree and may jump; and a leader stops before that time can have passed for anybody else. The official Python client's
own election compares wall clocks and, as of version 37, cannot create a Lease in its async form.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from timewright.cluster import metrics
from timewright.cluster.api import LEASES, Api, ApiError

LEASE_SECONDS = 15.0
RENEW_DEADLINE_SECONDS = 10.0
RETRY_SECONDS = 2.0

logger = logging.getLogger(__name__)


class LeadershipLost(Exception):  # noqa: N818 - it is an event more than an error
    """The Lease could not be renewed in time: another replica may lead by now."""


class Lease:
    """A Lease that this process holds, or would like to."""

    def __init__(
        self, api: Api, *, namespace: str, name: str, identity: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._clock = clock
        self._seen: dict[str, Any] | None = None
        self._seen_at = 0.0

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait for the Lease, then work while holding it, and give it up when cancelled.

        Should two replicas work at once all the same, for a moment, no harm is done: writes name the version they
        assume, and names are made from what they stand for.

        Raises:
            LeadershipLost: when the Lease could not be renewed; the process should end and start anew.

        """
        asked_at = self._clock()
        while not await self._try(RENEW_DEADLINE_SECONDS):
            await asyncio.sleep(RETRY_SECONDS)
            asked_at = self._clock()
        logger.info("leading as %s", self._identity)
        metrics.leader.labels(self._name).set(1)
        working = asyncio.ensure_future(work())
        renewing = asyncio.ensure_future(self._renew(asked_at))
        try:
            done, _ = await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            metrics.leader.labels(self._name).set(0)
            working.cancel()
            renewing.cancel()
            await asyncio.gather(working, renewing, return_exceptions=True)
            await self._release()
        for each in done:
            each.result()

    async def _renew(self, renewed_at: float) -> None:
        while (left := renewed_at + RENEW_DEADLINE_SECONDS - self._clock()) > 0:
            await asyncio.sleep(min(RETRY_SECONDS, left))
            asked_at = self._clock()
            if await self._try(renewed_at + RENEW_DEADLINE_SECONDS - asked_at):
                renewed_at = asked_at
        raise LeadershipLost(f"Lease {self._namespace}/{self._name} was not renewed in time")

    async def _try(self, seconds: float) -> bool:
        """Take or renew the Lease if that is allowed, within that many seconds; tell whether it is ours."""
        try:
            async with asyncio.timeout(min(max(seconds, 0.0), RENEW_DEADLINE_SECONDS / 2)):
                return await self._take()
        except ApiError as error:
            if not error.conflict:
                logger.warning("Lease %s/%s: %s", self._namespace, self._name, error)
        except OSError as error:
            logger.warning("Lease %s/%s: %s", self._namespace, self._name, error or type(error).__name__)
        return False

    async def _take(self) -> bool:
        try:
            lease = await self._api.get(LEASES, self._namespace, self._name)
        except ApiError as error:
            if not error.not_found:
                raise
            metadata = {"name": self._name, "namespace": self._namespace}
            self._see(await self._api.create(LEASES, {"metadata": metadata, "spec": self._spec(None)}))
            return True
        if self._seen is None or self._seen["metadata"]["resourceVersion"] != lease["metadata"]["resourceVersion"]:
            self._see(lease)
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity")
        duration = spec.get("leaseDurationSeconds") or LEASE_SECONDS
        if holder not in (None, "", self._identity) and self._clock() - self._seen_at < duration:
            return False
        self._see(await self._api.replace(LEASES, {**lease, "spec": self._spec(spec)}))
        return True

    def _see(self, lease: dict[str, Any]) -> None:
        self._seen, self._seen_at = lease, self._clock()

    def _spec(self, old: dict[str, Any] | None) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        old = old or {}
        ours = old.get("holderIdentity") == self._identity
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(LEASE_SECONDS),
            "acquireTime": old.get("acquireTime") if ours else now,
            "renewTime": now,
            "leaseTransitions": (old.get("leaseTransitions") or 0) + (0 if ours or not old else 1),
        }

    async def _release(self) -> None:
        """Give the Lease up, so that the next replica need not wait for its end."""
        try:
            async with asyncio.timeout(RETRY_SECONDS):
                lease = await self._api.get(LEASES, self._namespace, self._name)
                if (lease.get("spec") or {}).get("holderIdentity") == self._identity:
                    spec = {**lease["spec"], "holderIdentity": None, "renewTime": None, "acquireTime": None}
                    await self._api.replace(LEASES, {**lease, "spec": spec})
        except (ApiError, OSError) as error:
            logger.warning("could not release the Lease: %s", error)
