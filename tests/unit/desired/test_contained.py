"""Whether a live object says all that is wanted of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timewright.desired.contained import contained

values = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
)


@given(values)
def test_everything_is_contained_in_itself(value: Any) -> None:
    assert contained(value, value)


@given(st.dictionaries(st.sampled_from("abc"), values), st.dictionaries(st.sampled_from("xyz"), values))
def test_what_others_added_does_not_count(wanted: dict[str, Any], added: dict[str, Any]) -> None:
    assert contained(wanted, {**wanted, **added})


@pytest.mark.parametrize(
    ("wanted", "live"),
    [
        ({"a": 1}, {}),
        ({"a": 1}, {"a": 2}),
        ({"a": {"b": 1}}, {"a": {"c": 1}}),
        ([1], [1, 2]),
        ([{"a": 1}], [{"a": 2}]),
        ([{"a": 1}, {"b": 1}], [{"b": 1}, {"a": 1}]),
        ({"a": 1}, None),
        ([1], None),
        (1, None),
        ({"a": 1}, "a"),
    ],
)
def test_what_is_missing_or_different_counts(wanted: Any, live: Any) -> None:
    assert not contained(wanted, live)


@pytest.mark.parametrize("empty", [{}, []])
def test_an_empty_one_may_be_absent(empty: Any) -> None:
    assert contained({"a": empty}, {})
