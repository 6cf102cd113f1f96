"""How long does a run that failed wait for its next attempt?"""

from __future__ import annotations

from timewright.decisions.policies import Retry

_MOST_DOUBLINGS = 1_000
"""Enough to reach any limit, and no more than a float can hold."""


def wait_before_next_attempt(retry: Retry, failed_attempts: int, chance: float) -> float | None:
    """Return the seconds until the next attempt, or None when none is left.

    The waits double from `backoff` up to `max_backoff`. Of each, the share `jitter` is left to chance, so that no wait
    is longer than it would be without.

    Args:
        retry: the task's policy.
        failed_attempts: how many attempts of the run have failed, the first one included.
        chance: a random number in `[0, 1)`.

    Raises:
        ValueError: when no attempt has failed, or `chance` is out of its range.

    """
    if failed_attempts < 1:
        raise ValueError(f"failed_attempts is {failed_attempts}, expected at least 1: ask once an attempt has failed")
    if not 0 <= chance < 1:
        raise ValueError(f"chance is {chance}, expected at least 0 and less than 1: pass random.random()")
    if failed_attempts > retry.limit:
        return None
    wait = min(retry.backoff * 2.0 ** min(failed_attempts - 1, _MOST_DOUBLINGS), retry.max_backoff)
    return wait * (1 - retry.jitter + retry.jitter * chance)
