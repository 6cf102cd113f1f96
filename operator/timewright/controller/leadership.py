"""One replica works at a time: the one that holds the Lease."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from kubernetes.aio.leaderelection import electionconfig, leaderelection
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

from timewright.controller import metrics
from timewright.controller.api import LEASES, Api, ApiError
from timewright.controller.configuration import Configuration

LEASE_SECONDS = 15
RENEW_DEADLINE_SECONDS = 10
RETRY_SECONDS = 2

logger = logging.getLogger(__name__)


class LeadershipLost(Exception):  # noqa: N818 - it is an event more than an error
    """The Lease could not be renewed in time: another replica may lead by now."""


async def lead(api: Api, configuration: Configuration, work: Callable[[], Awaitable[None]]) -> None:
    """Wait for the Lease, then work while holding it.

    Should two replicas work at once all the same, for a moment, no harm is done: writes name the version they assume,
    and names are made from what they stand for.

    Raises:
        LeadershipLost: when the Lease is lost; the process should end and start anew.

    """

    async def leading() -> None:
        logger.info("leading as %s", configuration.identity)
        metrics.leader.set(1)
        await work()

    lock = LeaseLock(configuration.lease_name, configuration.operator_namespace, configuration.identity, api.client)
    election = leaderelection.LeaderElection(
        electionconfig.Config(
            lock,
            lease_duration=LEASE_SECONDS,
            renew_deadline=RENEW_DEADLINE_SECONDS,
            retry_period=RETRY_SECONDS,
            onstarted_leading=leading,
            onstopped_leading=_stopped,
        )
    )
    try:
        await election.run()
    except asyncio.CancelledError:
        await _release(api, configuration)
        raise
    finally:
        metrics.leader.set(0)
    raise LeadershipLost(f"Lease {configuration.operator_namespace}/{configuration.lease_name} was not renewed in time")


async def _stopped() -> None:
    """Do nothing: `lead` tells that leadership ended."""


async def _release(api: Api, configuration: Configuration) -> None:
    """Give the Lease up on the way out, so that the next replica need not wait for its end."""
    namespace, name = configuration.operator_namespace, configuration.lease_name
    try:
        lease = await api.get(LEASES, namespace, name)
        if lease["spec"].get("holderIdentity") != configuration.identity:
            return
        lease["spec"] |= {"holderIdentity": None, "renewTime": None, "acquireTime": None}
        await api.replace(LEASES, lease)
    except ApiError as error:
        logger.warning("could not release the Lease: %s", error)
