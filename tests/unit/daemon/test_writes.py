"""How many writes there may be, and whose turn it is."""

from __future__ import annotations

import asyncio

import pytest

from timewright.daemon.writes import Allowance, Waiting


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
        waiting.add(key, urgent=False)
        now[0] += 0.1
    waiting.add("c", urgent=True)
    waiting.add("a", urgent=False)
    now[0] = 10.0
    assert waiting.oldest_seconds() > 7
    assert [await waiting.next() for _ in range(3)] == ["c", "a", "b"]
    assert len(waiting) == 0


async def test_a_flood_of_what_cannot_wait_does_not_silence_the_others() -> None:
    now = [0.0]
    waiting = Waiting(lambda: now[0])
    waiting.add("patient", urgent=False)
    for number in range(100):
        waiting.add(f"urgent-{number}", urgent=True)
    now[0] = 10.0
    assert "patient" in [await waiting.next() for _ in range(5)]


async def test_news_wake_whoever_waits() -> None:
    waiting = Waiting()
    asking = asyncio.ensure_future(waiting.next())
    await asyncio.sleep(0)
    waiting.add("a", urgent=True)
    assert await asyncio.wait_for(asking, 5) == "a"


@pytest.mark.parametrize("turns", range(4))
async def test_who_waits_can_be_cancelled_while_there_is_news(turns: int) -> None:
    waiting = Waiting()
    waiting.add("b", urgent=False)
    task = asyncio.ensure_future(waiting.next())
    await asyncio.sleep(0.01)
    waiting.add("a", urgent=True)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done
    assert task.cancelled()
