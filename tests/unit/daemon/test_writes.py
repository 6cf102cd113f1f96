"""How many writes there may be, and whose turn it is."""

from __future__ import annotations

import asyncio

import pytest

from timewright.daemon.writes import FIRST_STATUS_COST, Allowance, Urgency, Waiting


def test_writes_beyond_the_allowance_have_to_wait() -> None:
    now = [0.0]
    allowance = Allowance(600, lambda: now[0])
    assert allowance.take(100) == 0, "those of ten seconds may come at once"
    assert allowance.take(5) == 0.5
    now[0] = 0.5
    assert allowance.take(1) == 0.1
    now[0] = 1_000.0
    assert allowance.take(100) == 0, "what was not used does not add up"
    assert allowance.take(10) == 1.0
    assert allowance.made == 216


async def test_what_cannot_wait_comes_first_and_then_who_has_waited_longest() -> None:
    now = [0.0]
    waiting = Waiting(lambda: now[0])
    for key in ("a", "b", "c"):
        waiting.add(key, Urgency.LATER)
        now[0] += 0.1
    waiting.add("c", Urgency.NOW)
    waiting.add("a", Urgency.LATER)
    now[0] = 10.0
    assert waiting.oldest_seconds() > 7
    assert [await waiting.next() for _ in range(3)] == ["c", "a", "b"]
    assert len(waiting) == 0


async def test_a_flood_of_what_cannot_wait_does_not_silence_the_others() -> None:
    now = [0.0]
    waiting = Waiting(lambda: now[0])
    waiting.add("patient", Urgency.LATER)
    for number in range(100):
        waiting.add(f"urgent-{number}", Urgency.NOW)
    now[0] = 10.0
    assert "patient" in [await waiting.next() for _ in range(5)]


async def test_news_wake_whoever_waits() -> None:
    waiting = Waiting()
    asking = asyncio.ensure_future(waiting.next())
    await asyncio.sleep(0)
    waiting.add("a", Urgency.NOW)
    assert await asyncio.wait_for(asking, 5) == "a"


@pytest.mark.parametrize("turns", range(4))
async def test_who_waits_can_be_cancelled_while_there_is_news(turns: int) -> None:
    waiting = Waiting()
    waiting.add("b", Urgency.LATER)
    task = asyncio.ensure_future(waiting.next())
    await asyncio.sleep(0.01)
    waiting.add("a", Urgency.NOW)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done
    assert task.cancelled()


def test_first_statuses_take_less_of_the_allowance() -> None:
    now = [0.0]
    allowance = Allowance(600, lambda: now[0])
    allowance.take(100)
    waits = [allowance.take(1, FIRST_STATUS_COST) for _ in range(50)]
    assert waits[-1] == pytest.approx(50 * 60 / 3_000)
    assert allowance.made == 150, "and count as what they are"


async def test_a_failure_goes_before_the_first_statuses_of_new_tasks() -> None:
    now = [0.0]
    waiting = Waiting(lambda: now[0])
    for number in range(100):
        waiting.add(f"new-{number}", Urgency.FIRST)
    waiting.add("fails", Urgency.NOW)
    waiting.add("new-99", Urgency.NOW)
    waiting.add("new-99", Urgency.LATER)
    now[0] = 10.0
    taken = [await waiting.next() for _ in range(4)]
    assert {"fails", "new-99"} <= set(taken), "also of one that was new"
    assert len(waiting) == 97


async def test_new_tasks_are_heard_in_a_flood_of_failures() -> None:
    now = [0.0]
    waiting = Waiting(lambda: now[0])
    waiting.add("new", Urgency.FIRST)
    for number in range(100):
        waiting.add(f"fails-{number}", Urgency.NOW)
    now[0] = 10.0
    assert "new" in [await waiting.next() for _ in range(5)]


async def test_numbers_wait_until_all_new_tasks_are_heard_of() -> None:
    now = [0.0]
    waiting = Waiting(lambda: now[0])
    for number in range(20):
        waiting.add(f"numbers-{number}", Urgency.LATER)
        waiting.add(f"new-{number}", Urgency.FIRST)
    now[0] = 10.0
    taken = [await waiting.next() for _ in range(40)]
    assert all(key.startswith("new") for key in taken[:20])
