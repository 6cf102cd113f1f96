"""When a daemon does not keep up."""

from __future__ import annotations

import pytest

from timewright.decisions.lagging import Load, lag_of


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        (Load(0, 0, 0, 0.0), "KeepsUp"),
        (Load(1000, 10, 5, 3.0), "KeepsUp"),
        (Load(1000, 11, 5, 3.0), "StartsLate"),
        (Load(1, 1, 0, 0.0), "StartsLate"),
        (Load(1000, 0, 800, 61.0), "WritesBehind"),
        (Load(1000, 500, 800, 61.0), "StartsLate"),
        (Load(1000, 500, 800, 61.0, 20, 1.5), "JobsWait"),
        (Load(1000, 0, 0, 0.0, 20, 0.5), "KeepsUp"),
        (Load(1000, 500, 800, 61.0, 20, 1.5, "shop:export of task export"), "EventLoopHeld"),
    ],
)
def test_lag(load: Load, reason: str) -> None:
    lag = lag_of(load)
    assert (lag.reason, lag.lags) == (reason, reason != "KeepsUp")
    assert lag.message
