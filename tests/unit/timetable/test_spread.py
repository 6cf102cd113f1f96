from __future__ import annotations

from collections import Counter

import pytest

from timewright.timetable import parse
from timewright.timetable.fields import DAY_OF_MONTH, HOUR, MINUTE, Field
from timewright.timetable.spread import parse_spread, seed_of

TASKS = 10_000


def _numbers(part: str, field: Field) -> Counter[int]:
    found: Counter[int] = Counter()
    for task in range(TASKS):
        seed = seed_of("cluster", f"namespace-{task % 40}", f"task-{task}")
        bits = parse_spread(part, field, 0, seed).bits
        found.update(number for number in range(64) if bits >> number & 1)
    return found


@pytest.mark.parametrize(
    ("part", "field", "low", "high"),
    [
        ("H", MINUTE, 0, 59),
        ("H", HOUR, 0, 23),
        ("H", DAY_OF_MONTH, 1, 28),
        ("H(0-29)", MINUTE, 0, 29),
        ("H/15", MINUTE, 0, 59),
        ("H(0-29)/10", MINUTE, 0, 29),
    ],
)
def test_ten_thousand_tasks_are_spread_evenly(part: str, field: Field, low: int, high: int) -> None:
    histogram = _numbers(part, field)
    print(f"{field.name} {part}: " + " ".join(f"{number}:{histogram[number]}" for number in sorted(histogram)))
    assert set(histogram) == set(range(low, high + 1))
    mean = histogram.total() / len(histogram)
    # Of numbers drawn evenly, one in ten thousand lies further than four standard deviations from the mean.
    assert all(abs(count - mean) < 4.5 * mean**0.5 for count in histogram.values())


def test_minute_and_hour_are_independent() -> None:
    pairs: Counter[tuple[int, int]] = Counter()
    for task in range(TASKS):
        seed = seed_of("cluster", "default", f"task-{task}")
        pairs[parse_spread("H", MINUTE, 0, seed).bits, parse_spread("H", HOUR, 0, seed).bits] += 1
    assert len(pairs) == 60 * 24
    assert max(pairs.values()) < 25


def test_a_task_keeps_its_place() -> None:
    seed = seed_of("salt", "shop", "report")
    assert parse("H H * * *", seed=seed).sources[0].wallclock is not None
    # A change here would move every task of every user.
    assert [parse_spread("H", field, 0, seed).bits.bit_length() - 1 for field in (MINUTE, HOUR)] == [3, 20]
    assert seed != seed_of("other salt", "shop", "report")
