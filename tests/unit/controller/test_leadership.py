"""The Lease, by client-go's rules, on virtual time."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.controller.virtual_time import now, run
from timewright.cluster.api import Api, ApiError, Resource
from timewright.controller.leadership import LEASE_SECONDS, RETRY_SECONDS, LeadershipLost, Lease

Manifest = dict[str, Any]
Trouble = Callable[[], float | None]
"""How many seconds a request takes, half of them each way. None: its connection breaks after a moment."""

HANGS = 10_000.0


class Leases:
    """An API server that holds one Lease, over networks that may be slow, hang or break."""

    def __init__(self) -> None:
        self.lease: Manifest | None = None
        self.version = 0
        self.writes: list[tuple[float, str | None]] = []

    def client(self, trouble: Trouble = lambda: 0.0) -> Api:
        """Return a client on such a network."""
        return cast("Api", _Client(self, trouble))

    def write(self, lease: Manifest) -> Manifest:
        self.version += 1
        stored = copy.deepcopy(lease)
        stored["metadata"]["resourceVersion"] = str(self.version)
        self.lease = stored
        self.writes.append((now(), stored["spec"].get("holderIdentity")))
        return copy.deepcopy(stored)

    @property
    def holder(self) -> str | None:
        return self.lease["spec"].get("holderIdentity") if self.lease else None


class _Client:
    def __init__(self, leases: Leases, trouble: Trouble) -> None:
        self._leases = leases
        self._trouble = trouble

    async def _request(self, action: Callable[[], Manifest]) -> Manifest:
        seconds = self._trouble()
        if seconds is None:
            await asyncio.sleep(0.45)
            raise ConnectionError("broken")
        await asyncio.sleep(seconds / 2)
        answer = action()
        await asyncio.sleep(seconds / 2)
        return answer

    async def get(self, _: Resource, namespace: str, name: str) -> Manifest:
        def read() -> Manifest:
            if self._leases.lease is None:
                raise ApiError(404, "NotFound", f"{namespace}/{name}")
            return copy.deepcopy(self._leases.lease)

        return await self._request(read)

    async def create(self, _: Resource, body: Manifest) -> Manifest:
        def created() -> Manifest:
            if self._leases.lease is not None:
                raise ApiError(409, "AlreadyExists", "exists")
            return self._leases.write(body)

        return await self._request(created)

    async def replace(self, _: Resource, body: Manifest) -> Manifest:
        def replaced() -> Manifest:
            lease = self._leases.lease
            if lease is None or lease["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
                raise ApiError(409, "Conflict", "has been modified")
            return self._leases.write(body)

        return await self._request(replaced)


class Candidate:
    """A replica that notes when it works."""

    def __init__(self, leases: Leases, name: str, trouble: Trouble = lambda: 0.0) -> None:
        self.name = name
        self.periods: list[list[float]] = []
        self.task: asyncio.Task[None]
        self._lease = Lease(leases.client(trouble), namespace="n", name="lease", identity=name, clock=now)

    def start(self) -> Candidate:
        self.task = asyncio.create_task(self._lease.lead(self._work))
        return self

    async def _work(self) -> None:
        self.periods.append([now(), float("inf")])
        try:
            await asyncio.sleep(100_000)
        finally:
            self.periods[-1][1] = now()

    async def stop(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError, LeadershipLost):
            await self.task


def test_the_first_candidate_makes_the_lease_and_works() -> None:
    async def scenario() -> None:
        leases = Leases()
        one = Candidate(leases, "one").start()
        await asyncio.sleep(1)

        assert len(one.periods) == 1
        assert leases.lease is not None
        spec = leases.lease["spec"]
        assert (spec["holderIdentity"], spec["leaseDurationSeconds"]) == ("one", 15)
        assert spec["acquireTime"] == spec["renewTime"]
        assert spec["leaseTransitions"] == 0
        await one.stop()

    run(scenario())


def test_a_leader_keeps_renewing_and_others_wait() -> None:
    async def scenario() -> None:
        leases = Leases()
        one = Candidate(leases, "one").start()
        await asyncio.sleep(1)
        two = Candidate(leases, "two").start()
        await asyncio.sleep(300)

        assert (len(one.periods), two.periods) == (1, [])
        gaps = [later[0] - earlier[0] for earlier, later in pairwise(leases.writes)]
        assert max(gaps) <= RETRY_SECONDS + 0.1
        await one.stop()
        await two.stop()

    run(scenario())


def test_a_leader_that_stops_hands_over_within_moments() -> None:
    async def scenario() -> None:
        leases = Leases()
        one = Candidate(leases, "one").start()
        await asyncio.sleep(1)
        two = Candidate(leases, "two").start()
        await asyncio.sleep(30)
        await one.stop()
        assert leases.holder is None
        await asyncio.sleep(RETRY_SECONDS + 0.1)

        assert len(two.periods) == 1
        assert leases.lease is not None
        assert leases.lease["spec"]["leaseTransitions"] == 1
        await two.stop()

    run(scenario())


def test_a_leader_that_was_killed_is_succeeded_when_its_lease_has_run_out() -> None:
    async def scenario() -> None:
        leases = Leases()
        leases.write(
            {
                "metadata": {"name": "lease", "namespace": "n"},
                "spec": {"holderIdentity": "dead", "leaseDurationSeconds": 15},
            }
        )
        begin = now()
        two = Candidate(leases, "two").start()
        await asyncio.sleep(60)

        assert LEASE_SECONDS <= two.periods[0][0] - begin <= LEASE_SECONDS + 2 * RETRY_SECONDS
        await two.stop()

    run(scenario())


@pytest.mark.parametrize("renew_time", ["1999-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z"])
def test_wall_clocks_of_other_machines_do_not_matter(renew_time: str) -> None:
    async def scenario() -> None:
        leases = Leases()
        spec = {"holderIdentity": "dead", "leaseDurationSeconds": 15, "renewTime": renew_time}
        leases.write({"metadata": {"name": "lease", "namespace": "n"}, "spec": spec})
        begin = now()
        two = Candidate(leases, "two").start()
        await asyncio.sleep(60)

        assert LEASE_SECONDS <= two.periods[0][0] - begin <= LEASE_SECONDS + 2 * RETRY_SECONDS
        await two.stop()

    run(scenario())


def test_a_replica_that_was_restarted_under_its_name_goes_on_at_once() -> None:
    async def scenario() -> None:
        leases = Leases()
        leases.write(
            {
                "metadata": {"name": "lease", "namespace": "n"},
                "spec": {"holderIdentity": "one", "leaseDurationSeconds": 15},
            }
        )
        one = Candidate(leases, "one").start()
        await asyncio.sleep(0.1)

        assert len(one.periods) == 1
        await one.stop()

    run(scenario())


def test_of_two_candidates_that_take_a_free_lease_at_once_one_gets_it() -> None:
    async def scenario() -> None:
        leases = Leases()
        candidates = [Candidate(leases, name, lambda: 0.2).start() for name in ("one", "two")]
        await asyncio.sleep(30)

        assert sorted(len(each.periods) for each in candidates) == [0, 1]
        for each in candidates:
            await each.stop()

    run(scenario())


def test_a_leader_that_is_cut_off_stops_and_says_so() -> None:
    async def scenario() -> None:
        leases = Leases()
        cut_off_at = now() + 20
        one = Candidate(leases, "one", lambda: 0.0 if now() < cut_off_at else HANGS).start()

        with pytest.raises(LeadershipLost, match="n/lease"):
            await one.task
        assert one.periods[0][1] < float("inf")

    run(scenario())


def test_a_leader_whose_lease_was_taken_stops() -> None:
    async def scenario() -> None:
        leases = Leases()
        one = Candidate(leases, "one").start()
        await asyncio.sleep(5)
        assert leases.lease is not None
        stolen = {**leases.lease, "spec": {**leases.lease["spec"], "holderIdentity": "thief"}}
        leases.write(stolen)

        with pytest.raises(LeadershipLost):
            await one.task
        assert leases.holder == "thief", "what is not ours is not released"

    run(scenario())


@pytest.mark.parametrize("trouble", [None, HANGS, 4.0])
def test_a_short_disturbance_does_not_end_a_reign(trouble: float | None) -> None:
    async def scenario() -> None:
        leases = Leases()
        begin = now()
        one = Candidate(leases, "one", lambda: trouble if 20 <= now() - begin < 26 else 0.0).start()
        await asyncio.sleep(100)

        assert len(one.periods) == 1
        assert not one.task.done()
        await one.stop()

    run(scenario())


def test_an_error_in_the_work_ends_the_reign_and_comes_out() -> None:
    async def scenario() -> None:
        leases = Leases()

        async def work() -> None:
            raise RuntimeError("broken")

        lease = Lease(leases.client(), namespace="n", name="lease", identity="one", clock=now)
        with pytest.raises(RuntimeError, match="broken"):
            await lease.lead(work)
        assert leases.holder is None

    run(scenario())


troubles = st.lists(
    st.tuples(st.floats(0, 40), st.sampled_from([0.0, 0.5, 2.4, 4.8, HANGS, None])), min_size=1, max_size=8
)
TOO_LATE = "a leader whose requests first break and then hang gives up after up to 17 s, and its Lease lasts 15"


@settings(deadline=None, max_examples=80)
@given(troubles, troubles, st.floats(0, 2))
@example([(21, 0.0), (9.5, None), (300, HANGS)], [(300, 0.0)], 0.5)
def test_two_never_work_at_once_whatever_the_network_does(
    first: list[tuple[float, float | None]], second: list[tuple[float, float | None]], later_by: float
) -> None:
    """Each row: for so many seconds, requests go like that."""

    def network(rows: list[tuple[float, float | None]]) -> Trouble:
        begin = now()

        def trouble() -> float | None:
            elapsed = now() - begin
            for seconds, kind in rows:
                if elapsed < seconds:
                    return kind
                elapsed -= seconds
            return 0.0

        return trouble

    async def scenario() -> None:
        leases = Leases()
        candidates = [Candidate(leases, "one", network(first)).start()]
        await asyncio.sleep(later_by)
        candidates.append(Candidate(leases, "two", network(second)).start())
        await asyncio.sleep(400)
        periods = sorted(period for each in candidates for period in each.periods)
        for each in candidates:
            await each.stop()
        for earlier, later in pairwise(periods):
            assert earlier[1] <= later[0] + 1e-6, "both worked at once"

    run(scenario())


@pytest.mark.parametrize(
    "kinds",
    [
        [HANGS],
        [4.8, HANGS],
        [None, None, None, None, HANGS],
    ],
)
def test_a_leader_that_is_cut_off_stops_before_its_lease_can_run_out_for_others(kinds: list[float | None]) -> None:
    async def scenario() -> None:
        leases = Leases()
        begin = now()
        left = list(kinds)

        def trouble() -> float | None:
            if now() - begin < 20:
                return 0.0
            return left.pop(0) if len(left) > 1 else left[0]

        one = Candidate(leases, "one", trouble).start()
        with suppress(LeadershipLost):
            await one.task
        last_write = leases.writes[-1][0]

        assert one.periods[0][1] - last_write < LEASE_SECONDS

    run(scenario())
