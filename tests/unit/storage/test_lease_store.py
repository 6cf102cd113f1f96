"""The store of the daemon: claims by one write, and leaders that go on from one another."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.controller.cluster import Cluster
from tests.unit.storage.fake_cluster import ReplacingApi
from timewright.cluster.api import LEASES, Api, Resource
from timewright.decisions.policies import MissedRuns, Policies
from timewright.decisions.task_state import OpenPhase
from timewright.engine.ledger import Ledger
from timewright.engine.planning import plan
from timewright.engine.task import Task
from timewright.resources.vocabulary import ConcurrencyPolicy, MissedRunsPolicy, OnLost, Outcome, Reason, Trigger
from timewright.runner.definition import Definition
from timewright.storage.kubernetes.book import Snapshot
from timewright.storage.kubernetes.journal import Since, from_annotations
from timewright.storage.kubernetes.lease import Lease
from timewright.storage.kubernetes.store import LeaseStore
from timewright.storage.kubernetes.takeover import Timing, Told
from timewright.storage.protocol import OwnershipLost, Retention, StoreError
from timewright.storage.records import Change, RunRecord
from timewright.timetable import parse

BEGIN = 1_772_366_400
SECONDS = 10


def lease_of(api: ReplacingApi, identity: str, clock: list[float] | None = None) -> Lease:
    now = clock if clock is not None else [0.0]
    return Lease(
        cast("Api", api),
        namespace="shop",
        name="timewright-daemon-default",
        identity=identity,
        seconds=SECONDS,
        clock=lambda: now[0],
    )


async def leading(api: ReplacingApi, identity: str = "a/1") -> LeaseStore:
    lease = lease_of(api, identity)
    assert await lease.try_to_take()
    return LeaseStore(lease)


def task_of(key: str, expression: str, **more: Any) -> Task:
    policies = more.pop("policies", Policies(missed_runs=MissedRuns(MissedRunsPolicy.SKIP)))
    definition = Definition(key, "shop", "command", ["true"])
    return Task(definition, key, parse(expression), expression, policies=policies, **more)


def timing(task: Task) -> Timing:
    return Timing(task.schedule_id, task.ticks)


def adopt(store: LeaseStore, task: Task, told: Told | None = None) -> None:
    told = told or Told(created_at=BEGIN - 1)
    store.adopt(task.key, told, timing(task), counters={}, run_id_of=task.run_id)


async def decided(store: LeaseStore, tasks: Sequence[Task], now: int) -> list[RunRecord]:
    """Decide on tasks as of an instant; return what is claimed by it."""
    stored = await store.load([task.key for task in tasks])
    plans = [plan(task, stored[task.key], now, "host") for task in tasks]
    changes = [each.change for each in plans if each.change is not None]
    made = dict(zip([each.task for each in changes], await store.commit("owner", changes), strict=True))
    return [run for each in plans for run in (*each.start, *each.resume) if made[run.task]]


def ended(run: RunRecord, outcome: Outcome = Outcome.SUCCEEDED) -> RunRecord:
    run.phase, run.outcome, run.reason, run.finished_at = None, outcome, Reason.COMPLETED.value, run.scheduled_at + 0.1
    return run


async def test_one_write_claims_a_second_however_many_ticks_it_has() -> None:
    cluster = Cluster()
    store = await leading(ReplacingApi(cluster))
    tasks = [task_of(f"task-{number}", "* * * * * *") for number in range(500)]
    for each in tasks:
        adopt(store, each)
    store.ready()
    cluster.requests.clear()
    runs = await decided(store, tasks, BEGIN)
    assert len(runs) == 500
    assert cluster.requests == ["replace leases"]
    assert (
        from_annotations(cluster.of(LEASES)["timewright-daemon-default"]["metadata"]["annotations"]).watermark == BEGIN
    )


async def test_who_was_deposed_can_claim_nothing() -> None:
    cluster = Cluster()
    api = ReplacingApi(cluster)
    store = await leading(api)
    task = task_of("task", "* * * * * *")
    adopt(store, task)
    store.ready()
    lost: list[bool] = []
    store.on_lost = lambda: lost.append(True)
    clock = [0.0]
    other = lease_of(api, "b/2", clock)
    assert not await other.try_to_take(), "it is held"
    clock[0] = SECONDS + 1
    assert await other.try_to_take()
    with pytest.raises(OwnershipLost):
        await decided(store, [task], BEGIN)
    assert lost == [True]
    with pytest.raises(OwnershipLost):
        await store.renew("owner")


async def test_a_claim_that_cannot_be_written_is_none() -> None:
    api = ReplacingApi(Cluster())
    store = await leading(api)
    task = task_of("task", "* * * * * *")
    adopt(store, task)
    store.ready()
    api.away = True
    with pytest.raises(StoreError):
        await decided(store, [task], BEGIN)
    api.away = False
    assert [run.scheduled_at for run in await decided(store, [task], BEGIN)] == [BEGIN]


async def test_an_answer_that_got_lost_deposes_nobody() -> None:
    cluster = Cluster()
    store = await leading(ReplacingApi(cluster))
    task = task_of("task", "* * * * * *")
    adopt(store, task)
    store.ready()

    def lose(request: str) -> None:
        cluster.after = lambda request: None
        raise TimeoutError

    cluster.after = lose
    with pytest.raises(StoreError):
        await decided(store, [task], BEGIN)
    assert [run.scheduled_at for run in await decided(store, [task], BEGIN + 1)][-1] == BEGIN + 1


async def test_a_late_tick_of_a_task_that_was_just_handed_over_is_not_started_again_by_the_next_leader() -> None:
    """Others have claimed its second long since, so the watermark of the Lease tells nothing of it."""
    api = ReplacingApi(Cluster())
    store = await leading(api)
    busy, late = task_of("busy", "* * * * * *"), task_of("late", "* * * * *")
    adopt(store, busy)
    store.ready()
    store.decided_until = lambda: BEGIN + 61
    await decided(store, [busy], BEGIN + 62)
    await store.renew("owner")
    handed = Told(created_at=BEGIN - 1_000, watermark=BEGIN)
    adopt(store, late, handed)
    assert [run.scheduled_at for run in await decided(store, [late], BEGIN + 62)] == [BEGIN + 60]

    lease = lease_of(api, "b/2", clock := [0.0])
    assert not await lease.try_to_take(), "it is held"
    clock[0] = SECONDS + 1
    assert await lease.try_to_take()
    after = LeaseStore(lease)
    adopt(after, busy)
    adopt(after, late, handed)
    after.ready()
    assert await decided(after, [late], BEGIN + 66) == []


async def test_what_was_started_between_two_pauses_is_told_until_a_status_tells_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A status that comes to the cluster late, out of the first pause, does not."""
    cluster = Cluster()
    store = await leading(ReplacingApi(cluster))
    policies = Policies(on_resume=MissedRunsPolicy.ALL)
    going, paused = (task_of("task", "* * * * * *", policies=policies, suspended=each) for each in (False, True))
    store.adopt("task", Told(BEGIN - 1), timing(going), counters={}, run_id_of=going.run_id, retention=Retention())
    store.ready()
    await decided(store, [paused], BEGIN)
    late = await store.snapshot("task")
    assert late is not None
    started = await decided(store, [going], BEGIN + 2)
    assert started
    await decided(store, [paused], BEGIN + 3)
    monkeypatch.setattr("timewright.storage.kubernetes.page.MOST_BYTES", 0)
    store.wrote("task", late)
    await store.renew("owner")
    assert from_annotations(_annotations(cluster)).accounts["task"].claimed == tuple(r.scheduled_at for r in started)
    after = await store.snapshot("task")
    assert after is not None
    store.wrote("task", after)
    await store.renew("owner")
    assert from_annotations(_annotations(cluster)).accounts == {}


async def test_a_lease_that_is_handed_over_is_taken_at_once() -> None:
    api = ReplacingApi(Cluster())
    store = await leading(api, "a/1")
    store.ready()
    other = lease_of(api, "b/2")
    assert not await other.try_to_take()
    await store.hand_over()
    assert await other.try_to_take()


async def test_what_waits_is_told_by_the_lease_before_it_starts() -> None:
    cluster = Cluster()
    store = await leading(ReplacingApi(cluster))
    queue = Policies(concurrency=ConcurrencyPolicy.QUEUE)
    task = task_of("task", "* * * * * *", policies=queue)
    adopt(store, task)
    store.ready()
    now = [BEGIN]
    store.decided_until = lambda: now[0]
    (first,) = await decided(store, [task], BEGIN)
    now[0] = BEGIN + 1
    assert await decided(store, [task], BEGIN + 1) == []
    await store.renew("owner")
    account = from_annotations(_annotations(cluster)).accounts["task"]
    assert (account.claimed, account.queued) == ((BEGIN,), (BEGIN + 1,))
    await store.finish("owner", [ended(first)])
    (second,) = await decided(store, [task], BEGIN + 1)
    account = from_annotations(_annotations(cluster)).accounts["task"]
    assert (second.scheduled_at, account.claimed, account.queued) == (BEGIN + 1, (BEGIN + 1,), ())


def _annotations(cluster: Cluster) -> dict[str, str]:
    annotations: dict[str, str] = cluster.of(LEASES)["timewright-daemon-default"]["metadata"]["annotations"]
    return annotations


@dataclass
class Sending:
    """A status on its way."""

    key: str
    snapshot: Snapshot
    version: int
    """How often that task's status had been written when this was begun."""
    has_landed: bool = False


class Truth:
    """What has really happened, and what the cluster tells of it."""

    def __init__(self, tasks: Sequence[Task], *, has_room: bool = True) -> None:
        self.has_room = has_room
        self.tasks = {task.key: task for task in tasks}
        self.told = {task.key: Told(created_at=BEGIN - 1) for task in tasks}
        self.counters: dict[str, Counter[Outcome]] = {task.key: Counter() for task in tasks}
        self.started: Counter[tuple[str, int]] = Counter()
        self.ended: dict[tuple[str, int], list[Outcome]] = {}
        """How the runs of each tick have ended: more than one if it ran again."""
        self.doubtful: set[tuple[str, int]] = set()
        """Ticks that have ended, or were claimed when a leader died, and of which the Lease may not tell so."""
        self.cut_off: Counter[tuple[str, int]] = Counter()
        """How often a leader died while that was so."""
        self.recorded: dict[str, dict[int, Outcome]] = {task.key: {} for task in tasks}
        """Outcomes that TaskRuns tell."""
        self.versions: Counter[str] = Counter()
        """How often the status of a task was written: a write is refused where that has happened since it was begun."""
        self.late: list[Sending] = []
        """Statuses that leaders had sent when they were deposed."""
        self.came_late: set[str] = set()
        """Tasks whose status is one of these."""

    def tell(self, sending: Sending) -> bool:
        """Let a status come to the cluster; tell whether that took it."""
        key, snapshot = sending.key, sending.snapshot
        if self.versions[key] != sending.version:
            return False
        self.versions[key] += 1
        self.came_late.discard(key)
        told, written = self.told[key], snapshot.written
        known = {each.schedule_id: timing(each) for each in (self.tasks[key], *_SCHEDULES)}
        self.told[key] = Told(
            told.created_at,
            written.watermark,
            written.revision,
            written.schedule_id,
            known.get(written.schedule_id or ""),
            written.suspended,
            snapshot.claimed,
            snapshot.queued,
            snapshot.since,
        )
        self.counters[key] = Counter(snapshot.counters)
        return True

    async def let_something_come_late(self, chance: random.Random, leader: Leader) -> None:
        """Let a status come to the cluster whose leader is gone, or get lost."""
        if self.late:
            sending = self.late.pop(chance.randrange(len(self.late)))
            was_suspended = self.told[sending.key].suspended
            if self.tell(sending):
                self.came_late.add(sending.key)
                book = leader.store.book(sending.key)
                assert book is not None
                assert book.hear(sending.snapshot.written)
                if sending.snapshot.written.suspended != was_suspended:
                    await leader.write(sending.key)  # or else: see the limits in docs/design.md


class Leader:
    """A daemon without its processes: it decides, starts, ends, writes statuses and dies as it is told."""

    def __init__(self, truth: Truth, store: LeaseStore, now: int) -> None:
        self.truth, self.store, self.now = truth, store, now
        self.active: dict[tuple[str, int], RunRecord] = {}
        self.writing: dict[str, Sending] = {}
        """Statuses that are on their way, by task."""
        for key, task in truth.tasks.items():
            told, recorded = truth.told[key], truth.recorded[key]
            counters = truth.counters[key]
            store.adopt(
                key, told, timing(task), counters=counters, run_id_of=task.run_id, recorded=recorded, retention=_KEPT
            )
        store.ready()

    async def second(self) -> None:
        tasks = list(self.truth.tasks.values())
        for run in await decided(self.store, tasks, self.now):
            tick = (run.task, run.scheduled_at)
            self.truth.started[tick] += 1
            run.started_at = self.now
            self.active[tick] = run
        until = self.now
        if await self.has_decided(tasks):
            self.store.decided_until = lambda: until

    async def has_decided(self, tasks: Sequence[Task]) -> bool:
        """Tell whether no task has a tick left that nobody has decided on."""
        stored = await self.store.load([task.key for task in tasks])
        return all(plan(task, stored[task.key], self.now, "host").change is None for task in tasks)

    async def end(self, tick: tuple[str, int], outcome: Outcome) -> None:
        run = self.active.pop(tick)
        self.truth.ended.setdefault(tick, []).append(outcome)
        self.truth.doubtful.add(tick)
        await self.store.finish("owner", [ended(run, outcome)])

    async def renew(self) -> None:
        await self.store.renew("owner")
        self.truth.doubtful.clear()

    async def write(self, key: str) -> None:
        """Write a status from beginning to end."""
        await self.begin_to_write(key)
        while not self.writing[key].has_landed:
            self.land(key)
        self.be_answered(key)

    async def begin_to_write(self, key: str) -> None:
        """Look at what there is to tell, and write its TaskRuns."""
        snapshot = await self.store.snapshot(key)
        book = self.store.book(key)
        assert snapshot is not None
        assert book is not None
        await self.store.tell_of(key, snapshot.records)
        for run in snapshot.records:
            if run.outcome is not None:
                self.truth.recorded[key][run.scheduled_at] = run.outcome
        book.forget(snapshot.records)
        self.writing[key] = Sending(key, snapshot, self.truth.versions[key])

    def land(self, key: str) -> None:
        """Let the status come to the cluster, unless another one has come there meanwhile: then it is sent again."""
        sending = self.writing[key]
        if self.truth.tell(sending):
            sending.has_landed = True
        else:
            sending.version = self.truth.versions[key]

    def be_answered(self, key: str) -> None:
        """Hear that the status has come there."""
        self.store.wrote(key, self.writing.pop(key).snapshot)

    async def go_on_writing(self, chance: random.Random, key: str) -> None:
        """Go on with the statuses that are on their way, or begin with that of a task."""
        for each in (key, *self.writing):
            if chance.random() < 0.3:
                await self._go_on_writing(chance, each)

    async def _go_on_writing(self, chance: random.Random, key: str) -> None:
        if key not in self.writing:
            await self.begin_to_write(key)
        elif self.writing[key].has_landed:
            self.be_answered(key)
        elif chance.random() < 0.2:
            await self.begin_to_write(key)  # it did not get through
        else:
            self.land(key)

    def die(self) -> None:
        # Of a status that comes late after one that did, nothing is known: see the limits in docs/design.md.
        on_their_way = [each for each in self.writing.values() if not each.has_landed]
        self.truth.late = [each for each in on_their_way if each.key not in self.truth.came_late]
        self.truth.doubtful |= self.active.keys()
        # Where there is no room to tell of it, what has been told of once may be forgotten again.
        for tick in self.truth.doubtful if self.truth.has_room else self.truth.started:
            self.truth.cut_off[tick] += 1


_KEPT = Retention(succeeded_runs=1, other_runs=2)
_SCHEDULES = [task_of("", "* * * * * *"), task_of("", "*/2 * * * * *"), task_of("", "*/3 * * * * *")]
_POLICIES = [
    Policies(concurrency=concurrency, missed_runs=MissedRuns(missed), on_resume=on_resume, on_lost=on_lost)
    for concurrency in (ConcurrencyPolicy.ALLOW, ConcurrencyPolicy.FORBID, ConcurrencyPolicy.QUEUE)
    for missed in (MissedRunsPolicy.SKIP, MissedRunsPolicy.LATEST)
    for on_resume in (MissedRunsPolicy.SKIP, MissedRunsPolicy.ALL)
    for on_lost in (OnLost.RECORD, OnLost.RERUN)
]


@given(seed=st.integers(min_value=0, max_value=2**32), room=st.sampled_from([48_000, 400, 250]))
@settings(max_examples=150)
@example(seed=110432796, room=250)
async def test_whatever_happens_counters_are_exact_and_nothing_starts_twice(seed: int, room: int) -> None:
    chance = random.Random(seed)
    cluster = Cluster()
    api = ReplacingApi(cluster)
    tasks = [
        task_of(f"task-{number}", chance.choice(_SCHEDULES).schedule_id, policies=chance.choice(_POLICIES))
        for number in range(4)
    ]
    truth = Truth(tasks, has_room=room > 1_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("timewright.storage.kubernetes.page.MOST_BYTES", room)
        leader = Leader(truth, await leading(api, "pod/0"), BEGIN)
        for step in range(40):
            leader.now = BEGIN + step
            leader = await _something(chance, api, truth, leader)
        await _come_to_rest(chance, truth, leader)
    for key, task in truth.tasks.items():
        _check(truth, key, task, leader, exact=truth.has_room)


async def _something(chance: random.Random, api: ReplacingApi, truth: Truth, leader: Leader) -> Leader:
    """Let a second pass, with what may happen in it."""
    key = chance.choice(list(truth.tasks))
    if chance.random() < 0.1:
        task = truth.tasks[key]
        _replace(truth, key, suspended=not task.suspended)
    if chance.random() < 0.8:
        try:
            await leader.second()
        except StoreError:  # too much to tell at once: the daemon tries again in the next second
            await leader.write(key)
    await leader.go_on_writing(chance, key)
    for tick in list(leader.active):
        if chance.random() < 0.5:
            await leader.end(tick, chance.choice([Outcome.SUCCEEDED, Outcome.SUCCEEDED, Outcome.FAILED]))
    if chance.random() < 0.3:
        await leader.renew()
    await leader.go_on_writing(chance, key)
    if chance.random() < 0.3:
        await truth.let_something_come_late(chance, leader)
    if chance.random() < 0.12:
        leader.die()
        return Leader(truth, await leading(api, f"pod/{chance.random()}"), leader.now)
    return leader


def _replace(truth: Truth, key: str, **change: Any) -> None:
    task = truth.tasks[key]
    fields = {"policies": task.policies, "suspended": task.suspended, **change}
    truth.tasks[key] = task_of(key, task.schedule_id, **fields)


async def _come_to_rest(chance: random.Random, truth: Truth, leader: Leader) -> None:
    for key in truth.tasks:
        _replace(truth, key, suspended=False)
    for _ in range(200):
        for key in truth.tasks:
            await leader.write(key)
        with contextlib.suppress(StoreError):
            await leader.second()
        for tick in list(leader.active):
            await leader.end(tick, Outcome.SUCCEEDED)
        if not leader.active and not await leader.store.unattended():
            break
    for key in truth.tasks:
        await leader.write(key)


def _check(truth: Truth, key: str, task: Task, leader: Leader, *, exact: bool) -> None:
    watermark, again = truth.told[key].watermark, task.policies.on_lost is OnLost.RERUN
    assert watermark is not None
    ticks = task.ticks.count(BEGIN, watermark + 1)
    counters = truth.counters[key]
    assert sum(counters.values()) == ticks, "each tick ends once"
    started = {tick for (of, tick), count in truth.started.items() if of == key for _ in range(count)}
    most = {tick: 1 + again * truth.cut_off[key, tick] for tick in started}
    assert all(truth.started[key, tick] <= most[tick] for tick in started), "no tick starts twice"
    for outcome in (Outcome.SUCCEEDED, Outcome.FAILED):
        real = [truth.ended[key, tick] for tick in started if (key, tick) in truth.ended]
        # Where there is no room to tell of it, an end may count though the tick has run again since.
        happened = sum(outcome in (ends[-1:] if exact else ends) for ends in real)
        assert counters[outcome] <= happened, "nothing is counted that did not happen"
    if exact:
        never_ended = sum((key, tick) not in truth.ended for tick in started)
        assert again or counters[Outcome.LOST] >= never_ended


class SlowApi(ReplacingApi):
    """Answers some time after it has replaced something."""

    async def replace(self, resource: Resource, body: dict[str, Any]) -> dict[str, Any]:
        answer = await super().replace(resource, body)
        for _ in range(5):
            await asyncio.sleep(0)
        return answer


async def test_a_status_tells_all_of_a_claim_or_is_older_than_the_lease_that_tells_it() -> None:
    store, task = await leading(SlowApi(Cluster())), task_of("a", "* * * * * *")
    adopt(store, task, Told(BEGIN - 9, BEGIN - 1, 1, task.schedule_id, timing(task), suspended=True))
    store.ready()
    claiming = asyncio.ensure_future(decided(store, [task], BEGIN))
    await asyncio.sleep(0)
    assert not claiming.done(), "its Lease is being written"
    snapshot = await store.snapshot("a")
    assert snapshot is not None
    assert claiming.done()
    assert snapshot.claimed == (BEGIN,)


async def test_of_one_revision_there_is_one_status() -> None:
    cluster = Cluster()
    store, task = await leading(ReplacingApi(cluster)), task_of("a", "* * * * * *")
    adopt(store, task)
    store.ready()
    store.decided_until = lambda: BEGIN
    await store.finish("owner", [ended(run, Outcome.FAILED) for run in await decided(store, [task], BEGIN)])
    first = await store.snapshot("a")
    await store.finish("owner", [ended(run) for run in await decided(store, [task], BEGIN + 1)])
    again = await store.snapshot("a")
    assert first is not None
    assert again is not None
    assert (again.written, again.since, again.is_repeated) == (first.written, Since(None, {Outcome.FAILED: 1}), True)
    await store.renew("owner")
    journal = from_annotations(_annotations(cluster))
    account = journal.accounts["a"]
    assert journal.beyond(account, None, None) == {Outcome.FAILED: 1, Outcome.SUCCEEDED: 1}
    assert journal.beyond(account, first.written.revision, first.since) == {Outcome.SUCCEEDED: 1}
    assert journal.beyond(account, 1_000, Since(base=999)) is None
    store.wrote("a", again)
    following = await store.snapshot("a")
    assert following is not None
    assert following.since.counts[Outcome.SUCCEEDED] == 1
    assert following.written.revision != first.written.revision


async def test_leaders_that_follow_one_another_number_their_statuses_differently() -> None:
    cluster = Cluster()
    revisions = []
    for leader in ("a/1", "a/2", "a/3"):
        store, task = await leading(ReplacingApi(cluster), leader), task_of("a", "* * * * * *")
        adopt(store, task)
        snapshot = await store.snapshot("a")
        assert snapshot is not None
        revisions.append(snapshot.written.revision)
    assert len(set(revisions)) == 3


async def test_spoilt_annotations_are_refused_with_the_remedy() -> None:
    cluster = Cluster()
    cluster.put(
        LEASES, {"metadata": {"name": "timewright-daemon-default", "annotations": {"timewright.dev/watermark": "x"}}}
    )
    with pytest.raises(StoreError, match="delete it"):
        await leading(ReplacingApi(cluster))


async def test_a_change_of_another_version_is_refused() -> None:
    store = await leading(ReplacingApi(Cluster()))
    task = task_of("task", "* * * * * *")
    adopt(store, task)
    store.ready()
    change = Change("task", 7, BEGIN, task.schedule_id)
    assert list(await store.commit("owner", [change])) == [False]
    queued = RunRecord("task", "run", BEGIN, phase=OpenPhase.QUEUED)
    assert list(await store.commit("owner", [Change("task", 1, BEGIN, task.schedule_id, runs=[queued])])) == [True]
    assert await store.unattended() == ["task"]


async def test_no_run_by_hand_is_pushed_out_by_those_of_ticks() -> None:
    store, task = await leading(ReplacingApi(Cluster())), task_of("a", "* * * * * *")
    book = store.adopt(
        task.key,
        Told(created_at=BEGIN - 1),
        timing(task),
        counters={},
        run_id_of=task.run_id,
        retention=Retention(succeeded_runs=1, other_runs=1),
    )
    store.ready()
    stored = (await store.load(["a"]))["a"]
    asked = RunRecord("a", "now", BEGIN, Trigger.MANUAL, OpenPhase.CLAIMED)
    await store.commit("owner", [Change("a", stored.version, None, task.schedule_id, False, [asked])])
    await store.finish("owner", [ended(asked)])
    for second in range(3):
        await store.finish("owner", [ended(run) for run in await decided(store, [task], BEGIN + second)])
    snapshot = await store.snapshot("a")
    assert snapshot is not None
    assert [run.run_id for run in snapshot.records] == ["now", task.run_id(BEGIN + 2)]
    book.forget(snapshot.records)
    assert book.ended == ()


async def test_who_waits_for_a_lease_knows_when_it_is_over() -> None:
    api, clock = ReplacingApi(Cluster()), [0.0]
    waiting = lease_of(api, "b/2", clock)
    assert waiting.seconds_left == 0, "nobody has it"
    assert await lease_of(api, "a/1").try_to_take()
    assert not await waiting.try_to_take()
    clock[0] = SECONDS - 1.0
    assert not await waiting.try_to_take()
    assert waiting.seconds_left == 1.0
    clock[0] += waiting.seconds_left
    assert await waiting.try_to_take()


async def test_what_memory_answers_does_not_tell_that_the_lease_can_be_used() -> None:
    api = ReplacingApi(Cluster())
    store, task, told = await leading(api), task_of("a", "* * * * * *"), list[str]()
    adopt(store, task)
    store.ready()
    ledger = Ledger(store, told.append)
    api.away = True
    with pytest.raises(StoreError):
        await ledger.claim([plan(task, (await ledger.load(["a"]))["a"], BEGIN, "host")])
    await ledger.load(["a"])
    assert not ledger.available
    assert len(told) == 1
    api.away = False
    await ledger.open()
    await ledger.close()
    assert ledger.available
