"""Who gets a lock: nobody too many, nobody by halves, nobody ahead of those who came first."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from timewright.storage.granting import Blocked, Demand, grant

SLOTS = {"warehouse": 1, "till": 2, "office": 3}
NAMES = st.sets(st.sampled_from(sorted(SLOTS)), min_size=1)
HOLDERS = st.lists(st.sampled_from(["x", "y", "z"]), max_size=3, unique=True)


def demand(holder: str, *names: str) -> Demand:
    return Demand(holder, {name: SLOTS[name] for name in sorted(names)})


@given(st.lists(NAMES, max_size=8), st.fixed_dictionaries(dict.fromkeys(SLOTS, HOLDERS)))
def test_never_too_many_and_first_come_first_served(wanted: list[set[str]], held: dict[str, list[str]]) -> None:
    demands = [demand(f"run-{number}", *names) for number, names in enumerate(wanted)]
    answers = grant(demands, held)
    taken = Counter({name: len(holders) for name, holders in held.items()})
    waiting: Counter[str] = Counter()
    for each, blocked in zip(demands, answers, strict=True):
        has_room = all(taken[name] + waiting[name] < SLOTS[name] for name in each.slots)
        assert (blocked is None) == has_room
        (taken if blocked is None else waiting).update(each.slots.keys())
        if blocked is not None:
            assert blocked.name in each.slots
    for name, slots in SLOTS.items():
        assert taken[name] <= max(slots, len(held[name]))


def test_who_has_a_lock_is_given_it_again() -> None:
    assert grant([demand("x", "warehouse")], {"warehouse": ["x"]}) == [None]


def test_who_stands_in_the_way_is_told() -> None:
    answers = grant([demand("one", "warehouse"), demand("two", "warehouse", "till")], {"till": ["x", "y"]})
    assert answers == [None, Blocked("till", "x")]
    assert grant([demand("two", "warehouse")], {"warehouse": ["x"]}) == [Blocked("warehouse", "x")]
