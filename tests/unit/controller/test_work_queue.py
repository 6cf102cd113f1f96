"""The queue of keys, with client-go's semantics, on virtual time."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.controller.virtual_time import now, run
from timewright.controller.work_queue import LONGEST_BACKOFF_SECONDS, WorkQueue

Work = Callable[[str], Awaitable[float | None]]


class Bench:
    """A queue at work, and what it did: when each key was worked on, in seconds since the start."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, str]] = []
        self.queue: WorkQueue[str] = WorkQueue(on_error=lambda key, error: self.errors.append((key, str(error))))
        self.times: dict[str, list[float]] = defaultdict(list)
        self.start = now()

    def note(self, key: str) -> None:
        self.times[key].append(round(now() - self.start, 3))

    async def work_for(self, seconds: float, work: Work, workers: int = 2) -> None:
        async def noted(key: str) -> float | None:
            self.note(key)
            return await work(key)

        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.queue.run(workers, noted)


async def nothing(_: str) -> None:
    return None


def test_adding_a_key_that_waits_changes_nothing() -> None:
    async def scenario() -> None:
        bench = Bench()
        for key in ("a", "b", "a", "a"):
            bench.queue.add(key)
        assert len(bench.queue) == 2

        await bench.work_for(10, nothing)

        assert bench.times == {"a": [0], "b": [0]}
        assert bench.queue.idle

    run(scenario())


def test_keys_are_worked_on_in_the_order_they_came() -> None:
    async def scenario() -> None:
        bench = Bench()
        for key in "cab":
            bench.queue.add(key)

        await bench.work_for(10, nothing, workers=1)

        assert list(bench.times) == ["c", "a", "b"]

    run(scenario())


def test_a_key_that_is_added_while_it_is_worked_on_is_worked_on_once_more_afterwards() -> None:
    async def scenario() -> None:
        bench = Bench()
        at_once = 0

        async def slowly(key: str) -> None:
            nonlocal at_once
            at_once += 1
            assert at_once == 1, "one key, one worker"
            if len(bench.times[key]) == 1:
                bench.queue.add(key)
                bench.queue.add(key)
            await asyncio.sleep(1)
            at_once -= 1

        bench.queue.add("a")
        await bench.work_for(10, slowly, workers=4)

        assert bench.times == {"a": [0, 1]}

    run(scenario())


def test_other_keys_go_on_while_one_takes_long() -> None:
    async def scenario() -> None:
        bench = Bench()

        async def uneven(key: str) -> None:
            await asyncio.sleep(100 if key == "slow" else 1)

        for key in ("slow", "a", "b"):
            bench.queue.add(key)
        await bench.work_for(50, uneven, workers=2)

        assert bench.times == {"slow": [0], "a": [0], "b": [1]}

    run(scenario())


def test_no_more_keys_are_worked_on_at_once_than_there_are_workers() -> None:
    async def scenario() -> None:
        bench = Bench()
        busy = most = 0

        async def counted(_: str) -> None:
            nonlocal busy, most
            busy += 1
            most = max(most, busy)
            await asyncio.sleep(1)
            busy -= 1

        for number in range(20):
            bench.queue.add(str(number))
        await bench.work_for(60, counted, workers=3)

        assert most == 3
        assert len(bench.times) == 20

    run(scenario())


def test_a_key_that_fails_comes_back_after_delays_that_double() -> None:
    async def scenario() -> None:
        bench = Bench()

        async def failing(_: str) -> None:
            raise ValueError("no")

        bench.queue.add("a")
        await bench.work_for(3, failing)

        assert bench.times["a"] == pytest.approx([0, 0.05, 0.15, 0.35, 0.75, 1.55], abs=0.01)
        assert bench.errors == [("a", "no")] * 6

    run(scenario())


def test_the_delay_stops_growing() -> None:
    async def scenario() -> None:
        bench = Bench()

        async def failing(_: str) -> None:
            raise ValueError("no")

        bench.queue.add("a")
        await bench.work_for(6000, failing)

        gaps = [later - earlier for earlier, later in pairwise(bench.times["a"])]
        assert gaps[-1] == pytest.approx(LONGEST_BACKOFF_SECONDS, abs=0.01)
        assert max(gaps) <= LONGEST_BACKOFF_SECONDS + 0.01

    run(scenario())


def test_success_resets_the_delay() -> None:
    async def scenario() -> None:
        bench = Bench()

        async def third_time_lucky(key: str) -> float | None:
            if len(bench.times[key]) % 3:
                raise ValueError("no")
            return 10.0

        bench.queue.add("a")
        await bench.work_for(15, third_time_lucky)

        assert bench.times["a"] == pytest.approx([0, 0.05, 0.15, 10.15, 10.2, 10.3], abs=0.01)

    run(scenario())


def test_one_key_that_fails_neither_delays_nor_ends_the_others() -> None:
    async def scenario() -> None:
        bench = Bench()

        async def work(key: str) -> float:
            if key == "bad":
                raise RuntimeError("always")
            return 1.0

        bench.queue.add("bad")
        bench.queue.add("good")
        await bench.work_for(4.5, work, workers=1)

        assert bench.times["good"] == pytest.approx([0, 1, 2, 3, 4], abs=0.01)

    run(scenario())


def test_a_failing_key_that_is_added_comes_at_once() -> None:
    async def scenario() -> None:
        bench = Bench()

        async def work(key: str) -> None:
            if len(bench.times[key]) < 12:
                raise ValueError("no")

        bench.queue.add("a")
        asyncio.get_running_loop().call_later(60, bench.queue.add, "a")
        await bench.work_for(100, work)

        assert any(time == pytest.approx(60, abs=0.001) for time in bench.times["a"])

    run(scenario())


def test_a_key_is_woken_when_it_asked_to_be() -> None:
    async def scenario() -> None:
        bench = Bench()

        async def work(key: str) -> float | None:
            return {1: 3600.0, 2: 0.5}.get(len(bench.times[key]))

        bench.queue.add("a")
        await bench.work_for(10_000, work)

        assert bench.times["a"] == pytest.approx([0, 3600, 3600.5], abs=0.01)

    run(scenario())


def test_a_key_that_is_worked_on_in_between_is_woken_as_it_asked_last() -> None:
    async def scenario() -> None:
        bench = Bench()

        async def work(key: str) -> float | None:
            return {1: 100.0, 2: 500.0}.get(len(bench.times[key]))

        bench.queue.add("a")
        asyncio.get_running_loop().call_later(10, bench.queue.add, "a")
        await bench.work_for(1000, work)

        assert bench.times["a"] == pytest.approx([0, 10, 510], abs=0.01)

    run(scenario())


def test_a_key_that_no_longer_wants_to_be_woken_is_not() -> None:
    async def scenario() -> None:
        bench = Bench()

        async def work(key: str) -> float | None:
            return 100.0 if len(bench.times[key]) == 1 else None

        bench.queue.add("a")
        asyncio.get_running_loop().call_later(10, bench.queue.add, "a")
        await bench.work_for(1000, work)

        assert bench.times["a"] == pytest.approx([0, 10], abs=0.01)

    run(scenario())


@pytest.mark.parametrize(("first", "second"), [(100, 5), (5, 100), (5, 5)])
def test_a_later_wish_takes_the_place_of_an_earlier_one(first: float, second: float) -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.queue.add_after("a", first)
        bench.queue.add_after("a", second)

        await bench.work_for(1000, nothing)

        assert bench.times["a"] == pytest.approx([second], abs=0.01)

    run(scenario())


def test_a_key_that_asks_for_the_past_comes_at_once() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.queue.add_after("a", -5)

        await bench.work_for(1, nothing)

        assert bench.times["a"] == [0]

    run(scenario())


wishes = st.lists(
    st.tuples(st.integers(0, 50), st.sampled_from("abc"), st.integers(0, 60) | st.just(None)), min_size=1, max_size=12
)


@settings(deadline=None, max_examples=150)
@given(wishes)
def test_no_wake_up_is_lost_whatever_is_asked_for_while_the_alarms_sleep(
    asked: list[tuple[int, str, int | None]],
) -> None:
    """Each row: at that second, that key is added at once, or after so many seconds."""

    async def scenario() -> None:
        bench = Bench()
        loop = asyncio.get_running_loop()
        at_once: dict[str, set[float]] = defaultdict(set)
        last_wish: dict[str, tuple[float, int]] = {}
        for order, (start, key, delay) in enumerate(sorted(asked, key=lambda row: row[0])):
            second = start + order / 1000
            if delay is None:
                loop.call_later(second, bench.queue.add, key)
                at_once[key].add(second)
            else:
                loop.call_later(second, bench.queue.add_after, key, delay)
                last_wish[key] = (second, delay)

        await bench.work_for(200, nothing)

        for key, seconds in at_once.items():
            for second in seconds:
                assert any(time == pytest.approx(second, abs=0.0001) for time in bench.times[key])
        for key, (second, delay) in last_wish.items():
            # Work that was done in between knew of the wish, and could have repeated it.
            assert any(second - 0.001 <= time <= second + delay + 0.001 for time in bench.times[key])

    run(scenario())


def test_ten_thousand_keys_that_ask_to_be_woken_all_are() -> None:
    async def scenario() -> None:
        bench = Bench()
        for number in range(10_000):
            bench.queue.add_after(str(number), (number * 7919) % 1000)

        await bench.work_for(1001, nothing, workers=8)

        assert len(bench.times) == 10_000
        assert all(times == [(int(key) * 7919) % 1000] for key, times in bench.times.items())

    run(scenario())
