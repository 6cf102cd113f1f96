"""What becomes of decisions: each is made once, as a whole, and by somebody alive."""

import asyncio

import pytest

from tests.storage.making import NOON, TASK, change, ended, living, record, run
from tests.storage.places import Place
from timewright.decisions.task_state import OpenPhase, OpenRun, TaskState
from timewright.resources.vocabulary import Outcome, Trigger
from timewright.storage.protocol import HistoryQuery, Store
from timewright.storage.records import RunRecord, StoredTask


async def test_of_a_task_never_seen_nothing_is_known(store: Store) -> None:
    assert await store.load([TASK, "other"]) == {TASK: StoredTask(TASK), "other": StoredTask("other")}
    assert await store.load([]) == {}


async def test_a_change_is_made_as_a_whole(store: Store) -> None:
    owner = await living(store)
    asked = change(0, run(NOON), run(NOON + 60, phase=OpenPhase.QUEUED), suspended=True, ended={Outcome.MISSED: 7})
    assert list(await store.commit(owner, [asked])) == [True]
    assert (await store.load([TASK]))[TASK] == StoredTask(
        TASK,
        version=1,
        state=TaskState(
            watermark=NOON,
            schedule_id="digest",
            suspended=True,
            open_runs=(
                OpenRun(f"sync-{NOON}", NOON, Trigger.SCHEDULE, OpenPhase.CLAIMED, True),
                OpenRun(f"sync-{NOON + 60}", NOON + 60, Trigger.SCHEDULE, OpenPhase.QUEUED, True),
            ),
        ),
        counters={Outcome.MISSED: 7},
    )


async def test_what_is_recorded_is_there_when_the_store_is_opened_again(place: Place, store: Store) -> None:
    await record(store, await living(store), run())
    before = await store.load([TASK])
    await store.close()
    assert await store.load([TASK]) == before, "a closed store opens itself"
    assert await (await place.open()).load([TASK]) == before


@pytest.mark.parametrize("version", [0, 2])
async def test_a_change_that_was_decided_on_another_version_changes_nothing(store: Store, version: int) -> None:
    owner = await living(store)
    await record(store, owner, run())
    before = await store.load([TASK])
    late = change(
        version, run(NOON + 60), ended(NOON), watermark=NOON + 60, cancel=[f"sync-{NOON}"], ended={Outcome.MISSED: 1}
    )
    assert list(await store.commit(owner, [late])) == [False]
    assert await store.load([TASK]) == before
    assert [each.run_id for each in await store.history(HistoryQuery())] == [f"sync-{NOON}"]
    assert not (await store.history(HistoryQuery()))[0].cancel_requested


async def test_of_a_batch_what_is_possible_is_made(store: Store) -> None:
    owner = await living(store)
    await record(store, owner, run(task="b"), task="b")
    batch = [change(0, run(task=task), task=task) for task in "abc"]
    assert list(await store.commit(owner, batch)) == [True, False, True]
    assert {key: each.version for key, each in (await store.load("abc")).items()} == {"a": 1, "b": 1, "c": 1}


async def test_of_two_changes_of_one_task_the_first_is_made(store: Store) -> None:
    owner = await living(store)
    assert list(await store.commit(owner, [change(0, run(NOON)), change(0, run(NOON + 60))])) == [True, False]
    assert list(await store.commit(owner, [change(1, run(NOON + 60)), change(2, run(NOON + 120))])) == [True, False]
    assert [each.scheduled_at for each in await store.history(HistoryQuery())] == [NOON + 60, NOON]


async def test_an_empty_batch_is_no_matter(store: Store) -> None:
    owner = await living(store)
    assert list(await store.commit(owner, [])) == []
    assert list(await store.finish(owner, [])) == []
    await store.mark_started(owner, [])
    assert await store.prune({}) == 0


async def test_of_two_who_decide_at_once_one_is_heard(place: Place) -> None:
    stores = [await place.open() for _ in range(4)]
    for number, store in enumerate(stores):
        await living(store, f"owner {number}")
    for version in range(20):
        claims = [
            store.commit(f"owner {number}", [change(version, run(NOON + version, host=f"host {number}"))])
            for number, store in enumerate(stores)
        ]
        answers = [made for (made,) in await asyncio.gather(*claims)]
        assert answers.count(True) == 1
        (claimed,) = await stores[0].history(HistoryQuery(limit=1))
        assert claimed.host == f"host {answers.index(True)}"


async def test_batches_that_overlap_do_not_wait_for_each_other(place: Place) -> None:
    keys = [f"task {number}" for number in range(60)]
    first, second = await place.open(), await place.open()
    await living(first, "first")
    await living(second, "second")
    for version in range(5):
        forwards = [change(version, run(NOON + version, task=key), task=key) for key in keys]
        one, other = await asyncio.gather(first.commit("first", forwards), second.commit("second", forwards[::-1]))
        assert [is_made != is_not for is_made, is_not in zip(one, reversed(other), strict=True)] == [True] * len(keys)


async def test_a_queued_run_is_nobodys_until_it_is_claimed(store: Store) -> None:
    first, second = await living(store, "first"), await living(store, "second")
    await record(store, first, run(phase=OpenPhase.QUEUED, host=""))
    assert list(await store.unattended()) == [TASK]
    assert list(await store.finish(first, [ended()])) == [False]
    await record(store, second, run(host="elsewhere"))
    assert list(await store.unattended()) == []
    assert list(await store.finish(first, [ended()])) == [False]
    assert list(await store.finish(second, [ended()])) == [True]


async def test_a_run_that_is_there_keeps_what_a_change_does_not_name(store: Store) -> None:
    owner = await living(store)
    first = run(
        phase=OpenPhase.QUEUED, trigger=Trigger.MANUAL, parameters={"day": "Monday"}, idempotency_key="k", host="here"
    )
    await record(store, owner, first)
    await store.request_cancel(TASK, first.run_id)
    await record(store, owner, RunRecord(TASK, first.run_id, NOON + 5, phase=OpenPhase.CLAIMED, host="there"))
    assert await store.find(TASK, run_id=first.run_id) == RunRecord(
        TASK,
        first.run_id,
        NOON,
        trigger=Trigger.MANUAL,
        phase=OpenPhase.CLAIMED,
        parameters={"day": "Monday"},
        idempotency_key="k",
        host="there",
        cancel_requested=True,
    )


async def test_a_run_that_has_an_outcome_stays_as_it_is(store: Store) -> None:
    owner = await living(store)
    await record(store, owner, ended(message="well done"))
    before = await store.find(TASK, run_id=f"sync-{NOON}")
    await record(store, owner, run(host="again"))
    await record(store, owner, run(outcome=Outcome.LOST))
    assert await store.find(TASK, run_id=f"sync-{NOON}") == before
    stored = (await store.load([TASK]))[TASK]
    assert (stored.counters, stored.state.open_runs, stored.version) == ({Outcome.SUCCEEDED: 1}, (), 3)


async def test_one_change_may_end_a_run_and_start_another(store: Store) -> None:
    owner = await living(store)
    await record(store, owner, run(NOON, phase=OpenPhase.QUEUED))
    dropped = run(NOON, outcome=Outcome.SKIPPED, reason="QueueFull", message="no room")
    await record(store, owner, run(NOON + 60), dropped)
    assert [(each.scheduled_at, each.outcome, each.reason) for each in await store.history(HistoryQuery())] == [
        (NOON + 60, None, ""),
        (NOON, Outcome.SKIPPED, "QueueFull"),
    ]
    assert (await store.load([TASK]))[TASK].counters == {Outcome.SKIPPED: 1}


async def test_a_change_tells_how_a_run_ended_that_was_open(store: Store) -> None:
    owner = await living(store)
    await record(store, owner, run(host="here"))
    lost = run(outcome=Outcome.LOST, reason="OwnerGone", message="gone", finished_at=NOON + 90.5, host="there")
    await record(store, owner, lost)
    assert await store.find(TASK, run_id=lost.run_id) == lost


async def test_started_runs_are_told_as_running(store: Store) -> None:
    owner, other = await living(store), await living(store, "other")
    await record(store, owner, run(NOON), run(NOON + 60), run(NOON + 120))
    await record(store, other, ended(NOON + 120))
    await store.mark_started(owner, [run(NOON, started_at=NOON + 0.125), run(NOON + 120, started_at=1.0)])
    await store.mark_started(other, [run(NOON + 60, started_at=1.0)])
    by_time = {each.scheduled_at: each for each in await store.history(HistoryQuery())}
    assert (by_time[NOON].phase, by_time[NOON].started_at) == (OpenPhase.RUNNING, NOON + 0.125)
    assert (by_time[NOON + 60].phase, by_time[NOON + 60].started_at) == (OpenPhase.CLAIMED, None)
    assert by_time[NOON + 120].phase is None
    assert [each.phase for each in (await store.load([TASK]))[TASK].state.open_runs] == ["Running", "Claimed"]


async def test_only_the_owner_of_an_open_run_finishes_it_and_once(store: Store) -> None:
    owner, other = await living(store), await living(store, "other")
    await record(store, owner, run(NOON), run(NOON + 60))
    version = (await store.load([TASK]))[TASK].version
    assert list(await store.finish(other, [ended(NOON)])) == [False]
    asked = [
        ended(NOON),
        ended(NOON + 60),
        ended(NOON + 120),
        ended(task="unknown"),
        ended(NOON, outcome=Outcome.FAILED),
    ]
    assert list(await store.finish(owner, asked)) == [True, True, False, False, False]
    assert list(await store.finish(owner, asked)) == [False] * 5
    stored = (await store.load([TASK]))[TASK]
    assert (stored.counters, stored.version) == ({Outcome.SUCCEEDED: 2}, version)
    assert stored.state.open_runs == ()


async def test_the_end_of_runs_can_be_asked_for(store: Store) -> None:
    owner, other = await living(store), await living(store, "other")
    await record(store, owner, run(NOON), run(NOON + 60), run(NOON + 120))
    await record(store, other, run(task="others"), task="others")
    assert await store.request_cancel(TASK, f"sync-{NOON}")
    assert not await store.request_cancel(TASK, "unknown")
    assert not await store.request_cancel("unknown", f"sync-{NOON}")
    version = (await store.load([TASK]))[TASK].version
    await store.commit(other, [change(version, cancel=[f"sync-{NOON + 60}", "unknown"])])
    assert sorted(await store.cancel_requests(owner)) == [(TASK, f"sync-{NOON}"), (TASK, f"sync-{NOON + 60}")]
    assert list(await store.cancel_requests(other)) == []
    await store.finish(owner, [ended(NOON, outcome=Outcome.CANCELLED)])
    assert list(await store.cancel_requests(owner)) == [(TASK, f"sync-{NOON + 60}")]
    assert not await store.request_cancel(TASK, f"sync-{NOON}"), "it has ended"


async def test_a_key_runs_once(store: Store) -> None:
    owner = await living(store)
    first = run(run_id="first", trigger=Trigger.MANUAL, idempotency_key="order 7")
    await record(store, owner, first)
    again = run(run_id="second", trigger=Trigger.MANUAL, idempotency_key="order 7")
    assert list(await store.commit(owner, [change(1, again)])) == [False]
    assert await store.find(TASK, idempotency_key="order 7") == first
    assert await store.find(TASK, idempotency_key="order 8") is None
    assert await store.find("other", idempotency_key="order 7") is None
    assert await store.find(TASK) is None
    await store.finish(owner, [ended(run_id="first")])
    assert list(await store.commit(owner, [change(1, again)])) == [False], "nor after it has ended"
    elsewhere = run(run_id="second", task="other", idempotency_key="order 7")
    assert list(await store.commit(owner, [change(0, elsewhere, task="other"), change(1)])) == [True, True]


async def test_a_key_runs_once_in_one_batch(store: Store) -> None:
    owner = await living(store)
    twice = change(0, run(run_id="a", idempotency_key="k"), run(run_id="b", idempotency_key="k"))
    assert list(await store.commit(owner, [twice])) == [False]
    assert (await store.load([TASK]))[TASK].version == 0


async def test_a_change_whose_answer_reaches_nobody_leaves_no_run_that_nobody_runs(place: Place, store: Store) -> None:
    owner = await living(store)
    for number in range(10):
        version = (await store.load([TASK]))[TASK].version
        asking = asyncio.create_task(store.commit(owner, [change(version, run(NOON + number))]))
        for _ in range(number):
            await asyncio.sleep(0.0005)
        asking.cancel()
        answers = await asyncio.gather(asking, return_exceptions=True)
        if isinstance(answers[0], asyncio.CancelledError):
            for each in (await store.load([TASK]))[TASK].state.open_runs:
                assert not each.proven
        else:
            await store.finish(owner, [ended(NOON + number)])


async def test_a_closed_store_serves_another_event_loop(store: Store) -> None:
    async def use(at: int) -> int:
        await asyncio.gather(store.renew("somebody"), store.load([TASK]), store.unattended(), store.locks())
        await record(store, "somebody", run(at))
        version = (await store.load([TASK]))[TASK].version
        await store.close()
        return version

    assert await use(NOON) == 1
    assert await asyncio.to_thread(asyncio.run, use(NOON + 60)) == 2
    assert await use(NOON + 120) == 3
