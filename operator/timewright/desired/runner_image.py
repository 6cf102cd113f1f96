"""The image that runs tasks which name none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunnerImage:
    """The runner's image and how nodes pull it."""

    image: str
    pull_policy: str = "IfNotPresent"
