"""The Lease: who leads, and what is claimed, in one object.

The rules are client-go's (k8s.io/client-go/tools/leaderelection): a Lease is free once nobody has renewed it for its
duration, measured on the watcher's own clock from when it last saw the Lease change, so clocks need not agree and may
jump. Each write names the version that it was worked out from, so whoever was deposed cannot write any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from timewright.cluster.api import LEASES, Api, ApiError
from timewright.storage.clock import elapsed
from timewright.storage.protocol import OwnershipLost, StoreError

Manifest = dict[str, Any]
_Answer = TypeVar("_Answer")


class Lease:
    """A Lease that this process holds, or would like to."""

    def __init__(
        self,
        api: Api,
        *,
        namespace: str,
        name: str,
        identity: str,
        seconds: int,
        clock: Callable[[], float] = elapsed,
    ) -> None:
        """Name it, its holder-to-be, and for how long nobody may take it from a holder.

        The part of `identity` before a slash names a place at which there is one process at a time, such as a Pod:
        what another process had there is taken over at once.
        """
        self.name = f"{namespace}/{name}"
        self.seconds = seconds
        self._api, self._namespace, self._name, self._identity = api, namespace, name, identity
        self._clock = clock
        self._lease: Manifest | None = None
        self._seen_at = 0.0
        self._timeout = max(1.0, min(seconds / 4, 5.0))

    @property
    def annotations(self) -> Mapping[str, str]:
        """What is written on it, as of the last read or write."""
        annotations: Mapping[str, str] = ((self._lease or {}).get("metadata") or {}).get("annotations") or {}
        return annotations

    @property
    def holder(self) -> str | None:
        """Who held it when it was last seen."""
        return ((self._lease or {}).get("spec") or {}).get("holderIdentity") or None

    @property
    def transitions(self) -> int:
        """How often it has changed hands, as of the last read or write."""
        return ((self._lease or {}).get("spec") or {}).get("leaseTransitions") or 0

    @property
    def seconds_since_renewal(self) -> float:
        """For how long it has not been written or seen to change."""
        return self._clock() - self._seen_at

    @property
    def seconds_left(self) -> float:
        """For how long from now nobody but its holder may take it, as far as this process has seen; 0 if it is free."""
        spec = (self._lease or {}).get("spec") or {}
        if not spec.get("holderIdentity"):
            return 0.0
        return max(0.0, self._seen_at + (spec.get("leaseDurationSeconds") or self.seconds) - self._clock())

    async def try_to_take(self) -> bool:
        """Take the Lease if it is free, with what is written on it as it is; tell whether it is ours.

        Raises StoreError when the API server cannot be asked.
        """
        try:
            return await self._ask(self._take())
        except OwnershipLost:
            return False  # somebody else was quicker

    async def write(self, annotations: Mapping[str, str] | None = None) -> None:
        """Renew the Lease, and write that on it if anything is given.

        Raises OwnershipLost when somebody else has it, and StoreError when nobody can tell whether it was written.
        """
        await self._ask(self._write(annotations))

    async def release(self, annotations: Mapping[str, str] | None = None) -> None:
        """Give it up, so that the next one need not wait for its end."""
        await self._ask(self._write(annotations, holder=None))

    async def _ask(self, request: Coroutine[Any, Any, _Answer]) -> _Answer:
        try:
            async with asyncio.timeout(self._timeout):
                return await request
        except ApiError as error:
            if error.conflict:
                raise OwnershipLost(f"Lease {self.name} was taken over by another replica") from error
            raise StoreError(
                f"Lease {self.name}: {error}; the daemon's Role has to allow get, create, update"
            ) from error
        except OSError as error:
            text = str(error) or "it did not answer in time"
            raise StoreError(f"Lease {self.name}: the API server cannot be reached: {text}") from error

    async def _take(self) -> bool:
        lease = await self._read()
        if lease is None:
            metadata = {"name": self._name, "namespace": self._namespace}
            self._see(await self._api.create(LEASES, {"metadata": metadata, "spec": self._spec({}, self._identity)}))
            return True
        if self._lease is None or _version(self._lease) != _version(lease):
            self._see(lease)
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        is_ours = holder == self._identity or holder.partition("/")[0] == self._identity.partition("/")[0]
        if holder and not is_ours and self.seconds_left > 0:
            return False
        self._see(await self._api.replace(LEASES, {**lease, "spec": self._spec(spec, self._identity)}))
        return True

    async def _write(self, annotations: Mapping[str, str] | None, **change: None) -> None:
        if self._lease is None:
            raise OwnershipLost(f"Lease {self.name} was never taken")
        try:
            await self._replace(self._lease, annotations, **change)
        except ApiError as error:
            if not (error.conflict or error.not_found):
                raise
            # It may have been this process itself, by a write whose answer got lost; or the Lease was deleted.
            lease = await self._read()
            if lease is None:
                metadata = {"name": self._name, "namespace": self._namespace}
                lease = await self._api.create(LEASES, {"metadata": metadata, "spec": self._lease["spec"]})
                annotations = self.annotations if annotations is None else annotations
            if (lease.get("spec") or {}).get("holderIdentity") != self._identity:
                raise OwnershipLost(f"Lease {self.name} was taken over by {_holder(lease)}") from error
            await self._replace(lease, annotations, **change)

    async def _replace(self, lease: Manifest, annotations: Mapping[str, str] | None, **change: None) -> None:
        holder = None if "holder" in change else self._identity
        metadata = lease["metadata"]
        if annotations is not None:
            metadata = {**metadata, "annotations": {**(metadata.get("annotations") or {}), **annotations}}
        spec = self._spec(lease.get("spec") or {}, holder)
        self._see(await self._api.replace(LEASES, {**lease, "metadata": metadata, "spec": spec}))

    async def _read(self) -> Manifest | None:
        try:
            return await self._api.get(LEASES, self._namespace, self._name)
        except ApiError as error:
            if error.not_found:
                return None
            raise

    def _see(self, lease: Manifest) -> None:
        self._lease, self._seen_at = lease, self._clock()

    def _spec(self, old: Mapping[str, Any], holder: str | None) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        is_kept = old.get("holderIdentity") == holder
        return {
            "holderIdentity": holder,
            "leaseDurationSeconds": self.seconds,
            "acquireTime": old.get("acquireTime") if is_kept else now,
            "renewTime": now,
            "leaseTransitions": (old.get("leaseTransitions") or 0) + int(holder is not None and not is_kept),
        }


def _version(lease: Manifest) -> str:
    return str(lease["metadata"]["resourceVersion"])


def _holder(lease: Manifest) -> str:
    return str((lease.get("spec") or {}).get("holderIdentity") or "nobody")
