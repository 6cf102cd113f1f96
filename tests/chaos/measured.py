"""What is measured while things break."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.chaos.stage import Stage


@dataclass
class Measured:
    """What a scenario saw."""

    faults: int = 0
    may_lose: bool = True
    """Whether what a process did when the fault struck may end as Lost."""
    takeovers: list[float] = field(default_factory=list)
    """By a replica that had to wait until the Lease was over."""
    handovers: list[float] = field(default_factory=list)
    """By a replica that was handed the Lease, or whose own place the fault struck."""


def two_replicas(stage: Stage) -> None:
    """Have one replica lead and another stand by."""
    while sum(each.running for each in stage.replicas) < 2:
        stage.replica()
    stage.wait_leader()
