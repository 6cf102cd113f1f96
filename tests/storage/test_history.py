"""What is remembered of runs, for how long, and how it is counted."""

import time
from typing import Any

import pytest

from tests.storage.making import NOON, TASK, change, ended, living, record, run
from timewright.decisions.task_state import OpenPhase
from timewright.resources.vocabulary import Outcome, Trigger
from timewright.storage.protocol import HistoryQuery, Retention, Store
from timewright.storage.records import Pause, RunRecord

MANUAL = RunRecord(
    TASK,
    "by hand",
    NOON,
    trigger=Trigger.MANUAL,
    phase=OpenPhase.CLAIMED,
    parameters={"day": "Monday", "ünits": [1, 2.5, None, True, {"deep": "😀"}]},
    idempotency_key="order 7 – ✓",
    host="machine.example",
    cancel_requested=True,
)


async def test_a_record_comes_back_as_it_was_given(store: Store) -> None:
    owner = await living(store)
    await record(store, owner, MANUAL)
    assert await store.find(TASK, run_id="by hand") == MANUAL
    manual_ended = RunRecord(
        TASK,
        "by hand",
        NOON,
        trigger=Trigger.MANUAL,
        outcome=Outcome.FAILED,
        reason="NonZeroExit",
        message="exit code 3 – ✓ 😀",
        started_at=NOON + 0.123456,
        finished_at=NOON + 17.654321,
        exit_code=-9,
        output="línea\n\ttab 'quote\" \\ %s %% 😀\r\n" * 1000,
        attempts=[{"exitCode": 1, "message": "ü"}, {"exitCode": 2}],
        peak_memory_bytes=2**40,
        parameters=MANUAL.parameters,
        idempotency_key=MANUAL.idempotency_key,
        host=MANUAL.host,
        cancel_requested=True,
    )
    assert list(await store.finish(owner, [manual_ended])) == [True]
    assert await store.find(TASK, run_id="by hand") == manual_ended
    assert list(await store.history(HistoryQuery())) == [manual_ended]


async def test_an_output_of_any_characters_is_recorded(store: Store) -> None:
    owner = await living(store)
    await record(store, owner, run())
    hostile = "a\0b\ud800c"
    assert list(await store.finish(owner, [ended(output=hostile, message=hostile)])) == [True]
    found = await store.find(TASK, run_id=f"sync-{NOON}")
    assert found is not None
    assert found.output == found.message == "a\ufffdb?c"


@pytest.mark.parametrize("name", ["'; DROP TABLE runs; --", "%s ? :name", "ключ 😀", "x" * 5000, 'a\\b"c\n'])
async def test_any_name_is_just_a_name(store: Store, name: str) -> None:
    owner = await living(store)
    await record(store, owner, run(run_id=name, idempotency_key=name, task=name, host=name), task=name)
    assert await store.request_cancel(name, name)
    assert list(await store.cancel_requests(owner)) == [(name, name)]
    assert list(await store.finish(owner, [ended(run_id=name, task=name)])) == [True]
    assert [each.task for each in await store.history(HistoryQuery(tasks=[name]))] == [name]
    assert await store.find(name, idempotency_key=name) == await store.find(name, run_id=name) is not None
    lock = await store.acquire(owner, name, name)
    assert lock is not None
    assert (lock.name, lock.holder) == (name, name)


@pytest.fixture
async def five_runs(store: Store) -> Store:
    owner = await living(store)
    await record(store, owner, ended(NOON), ended(NOON + 60, outcome=Outcome.FAILED), run(NOON + 120))
    await record(store, owner, ended(NOON + 30, task="b"), run(NOON + 90, task="b", phase=OpenPhase.QUEUED), task="b")
    return store


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [120, 90, 60, 30, 0]),
        ({"limit": 2}, [120, 90]),
        ({"limit": 0}, []),
        ({"tasks": [TASK]}, [120, 60, 0]),
        ({"tasks": ["b", TASK, "unknown"]}, [120, 90, 60, 30, 0]),
        ({"tasks": ["unknown"]}, []),
        ({"outcomes": [Outcome.SUCCEEDED]}, [30, 0]),
        ({"outcomes": {Outcome.SUCCEEDED, Outcome.FAILED}, "tasks": [TASK]}, [60, 0]),
        ({"since": NOON + 60}, [120, 90, 60]),
        ({"until": NOON + 60}, [30, 0]),
        ({"since": NOON + 30, "until": NOON + 90, "tasks": ["b"]}, [30]),
        ({"is_open": True}, [120, 90]),
        ({"is_open": False}, [60, 30, 0]),
        ({"is_open": True, "tasks": ["b"]}, [90]),
        ({"is_open": True, "outcomes": [Outcome.FAILED]}, []),
    ],
)
async def test_history_is_filtered_the_latest_first(
    five_runs: Store, query: dict[str, Any], expected: list[int]
) -> None:
    assert [each.scheduled_at - NOON for each in await five_runs.history(HistoryQuery(**query))] == expected


async def test_of_two_runs_of_one_time_the_one_recorded_later_comes_first(store: Store) -> None:
    owner = await living(store)
    await record(store, owner, run(run_id="z"))
    await record(store, owner, run(run_id="a"))
    for tasks in ([], [TASK]):
        assert [each.run_id for each in await store.history(HistoryQuery(tasks=tasks))] == ["a", "z"]


async def test_everything_that_ended_is_counted_once(store: Store) -> None:
    owner = await living(store)
    skipped = run(NOON, outcome=Outcome.SKIPPED, reason="Overlap")
    await store.commit(owner, [change(0, skipped, run(NOON + 60), ended={Outcome.MISSED: 1000, Outcome.SKIPPED: 1})])
    await store.commit(owner, [change(1, skipped, run(NOON + 120), ended={Outcome.MISSED: 1})])
    await store.finish(owner, [ended(NOON + 60), ended(NOON + 120, outcome=Outcome.FAILED)])
    stored = (await store.load([TASK]))[TASK]
    assert stored.counters == {Outcome.MISSED: 1001, Outcome.SKIPPED: 2, Outcome.SUCCEEDED: 1, Outcome.FAILED: 1}


@pytest.mark.parametrize("by", ["commit", "finish"])
async def test_the_last_of_those_that_started_is_known(store: Store, by: str) -> None:
    owner = await living(store)

    async def end(at: int, outcome: Outcome, **fields: Any) -> tuple[int | None, Outcome | None, int | None]:
        if by == "finish":
            await record(store, owner, run(at))
            await store.finish(owner, [ended(at, outcome=outcome, **fields)])
        else:
            await record(store, owner, ended(at, outcome=outcome, **fields))
        stored = (await store.load([TASK]))[TASK]
        return stored.last_success_at, stored.last_outcome, stored.last_finished_at

    ran = (NOON + 1, Outcome.SUCCEEDED, NOON + 1)
    assert await end(NOON, Outcome.SUCCEEDED) == ran
    assert await end(NOON + 10, Outcome.SKIPPED, started_at=None) == ran
    assert await end(NOON + 20, Outcome.MISSED, started_at=None) == ran
    assert await end(NOON + 30, Outcome.CANCELLED, started_at=None) == ran
    assert await end(NOON + 40, Outcome.FAILED) == (NOON + 1, Outcome.FAILED, NOON + 41)
    assert await end(NOON + 50, Outcome.CANCELLED) == (NOON + 1, Outcome.CANCELLED, NOON + 51)
    assert await end(NOON + 60, Outcome.LOST) == (NOON + 1, Outcome.LOST, NOON + 61)
    # One that had started early and took long.
    assert await end(NOON + 70, Outcome.SUCCEEDED, finished_at=NOON + 5) == (NOON + 5, Outcome.LOST, NOON + 61)
    assert await end(NOON + 80, Outcome.SUCCEEDED, finished_at=NOON + 3) == (NOON + 5, Outcome.LOST, NOON + 61)


async def test_a_loss_without_a_time_happened_when_it_was_recorded(store: Store) -> None:
    owner = await living(store)
    before = int(time.time())
    await record(store, owner, run(outcome=Outcome.LOST))
    stored = (await store.load([TASK]))[TASK]
    assert stored.last_outcome is Outcome.LOST
    assert stored.last_finished_at is not None
    assert stored.last_finished_at >= before


async def test_pruning_keeps_the_latest_and_every_counter(store: Store) -> None:
    owner = await living(store)
    outcomes = [Outcome.SUCCEEDED, Outcome.FAILED, Outcome.SKIPPED]
    runs = [ended(NOON + number, outcome=outcomes[number % 3]) for number in range(30)]
    await record(store, owner, *runs, run(NOON - 1), run(NOON - 2, phase=OpenPhase.QUEUED))
    await record(store, owner, ended(task="other"), task="other")
    before = await store.load([TASK, "other"])
    assert await store.prune({TASK: Retention(succeeded_runs=2, other_runs=3), "unknown": Retention()}) == 25
    assert [each.scheduled_at - NOON for each in await store.history(HistoryQuery(limit=100))] == [
        29, 28, 27, 26, 24, 0, -1, -2,
    ]  # fmt: skip
    assert await store.load([TASK, "other"]) == before
    assert await store.prune({TASK: Retention(2, 3)}) == 0
    assert await store.prune({TASK: Retention(0, 0)}) == 5
    assert [each.scheduled_at - NOON for each in await store.history(HistoryQuery(tasks=[TASK]))] == [-1, -2]


async def test_pruning_removes_what_ended_long_ago(store: Store) -> None:
    owner = await living(store)
    now = int(time.time())
    old, caught_up = now - 5000, now - 4000
    await record(
        store,
        owner,
        ended(old, finished_at=old),
        ended(caught_up, finished_at=now),
        run(old - 1, outcome=Outcome.MISSED),
        run(now, outcome=Outcome.MISSED),
        run(old - 2),
    )
    assert await store.prune({TASK: Retention(max_age=3000)}) == 2
    assert [each.scheduled_at for each in await store.history(HistoryQuery())] == [now, caught_up, old - 2]


async def test_many_tasks_are_pruned_at_once(store: Store) -> None:
    owner = await living(store)
    keys = [f"task {number}" for number in range(450)]
    await store.commit(owner, [change(0, *(ended(NOON + at, task=key) for at in range(3)), task=key) for key in keys])
    assert await store.prune(dict.fromkeys(keys, Retention(1, 1))) == 900


async def test_a_person_pauses_a_task_and_resumes_it(store: Store) -> None:
    owner = await living(store)
    await record(store, owner, run())
    await store.set_pause(TASK, Pause("month's end ✓", NOON + 3600))
    stored = (await store.load([TASK]))[TASK]
    assert (stored.pause, stored.version) == (Pause("month's end ✓", NOON + 3600), 2)
    assert list(await store.commit(owner, [change(1, run(NOON + 60))])) == [False], "decided without knowing it"
    await store.set_pause(TASK, Pause())
    assert (await store.load([TASK]))[TASK].pause == Pause("", None)
    await store.set_pause(TASK, None)
    stored = (await store.load([TASK]))[TASK]
    assert (stored.pause, stored.version) == (None, 4)
    assert len(stored.state.open_runs) == 1


async def test_a_task_can_be_paused_before_it_ever_ran(store: Store) -> None:
    await store.set_pause(TASK, Pause("not yet"))
    stored = (await store.load([TASK]))[TASK]
    assert (stored.version, stored.pause, stored.state.watermark) == (1, Pause("not yet"), None)
