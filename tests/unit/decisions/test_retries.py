"""How long does a run that failed wait for its next attempt?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timewright.decisions.policies import Retry
from timewright.decisions.retries import wait_before_next_attempt


@pytest.mark.parametrize(
    ("failed_attempts", "wait"), [(1, 10.0), (2, 20.0), (3, 40.0), (4, 80.0), (5, 100.0), (6, 100.0), (7, None)]
)
def test_waits_double_up_to_the_longest_and_end_with_the_last_attempt(failed_attempts: int, wait: float | None) -> None:
    retry = Retry(limit=6, backoff=10, max_backoff=100, jitter=0)

    assert wait_before_next_attempt(retry, failed_attempts, 0.5) == wait


def test_without_a_limit_there_is_one_attempt() -> None:
    assert wait_before_next_attempt(Retry(), 1, 0.5) is None


@pytest.mark.parametrize(
    ("jitter", "chance", "wait"), [(0.5, 0.0, 50.0), (0.5, 0.5, 75.0), (1.0, 0.25, 25.0), (0.0, 0.9, 100.0)]
)
def test_a_share_of_each_wait_is_left_to_chance(jitter: float, chance: float, wait: float) -> None:
    retry = Retry(limit=1, backoff=100, jitter=jitter)

    assert wait_before_next_attempt(retry, 1, chance) == pytest.approx(wait)


@given(
    retry=st.builds(
        Retry,
        limit=st.integers(0, 10**9),
        backoff=st.floats(0, 1e9),
        max_backoff=st.floats(0, 1e9),
        jitter=st.floats(0, 1),
    ),
    failed_attempts=st.integers(1, 10**9),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_no_wait_is_negative_or_longer_than_the_longest(retry: Retry, failed_attempts: int, chance: float) -> None:
    wait = wait_before_next_attempt(retry, failed_attempts, chance)

    assert (wait is None) == (failed_attempts > retry.limit)
    assert wait is None or 0 <= wait <= retry.max_backoff


@pytest.mark.parametrize(
    ("failed_attempts", "chance", "told"), [(0, 0.5, "failed_attempts is 0"), (1, 1.0, "chance"), (1, -0.1, "chance")]
)
def test_what_cannot_be_is_refused(failed_attempts: int, chance: float, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        wait_before_next_attempt(Retry(limit=1), failed_attempts, chance)
