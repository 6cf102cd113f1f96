"""Policies that are more than one word: ticks that nobody was there for, and attempts after a failure."""

from __future__ import annotations

from pydantic import Field

from timewright.resources.model import Model
from timewright.resources.vocabulary import MissedRunsPolicy


class MissedRunsSpec(Model):
    """What becomes of ticks that nobody was there for."""

    policy: MissedRunsPolicy = Field(
        default=MissedRunsPolicy.LATEST,
        description="Skip records them as Missed, Latest runs the latest of them, All runs all of them, oldest first.",
    )
    max_runs: int = Field(
        default=10,
        ge=1,
        le=1000,
        description="The most ticks that All makes up for at once: the latest of them.",
    )
    max_age_seconds: int | None = Field(
        default=None, ge=1, le=2147483647, description="Age, in seconds, beyond which a tick is not made up for."
    )


class RetrySpec(Model):
    """Further attempts of a run that failed, under the same nominal time."""

    limit: int = Field(ge=0, le=100, description="How many attempts may follow the first.")
    backoff_seconds: int = Field(
        default=10, ge=0, le=86400, description="Seconds to wait before the second attempt; each later wait is doubled."
    )
    max_backoff_seconds: int | None = Field(
        default=None,
        ge=0,
        le=86400,
        description="The longest wait, in seconds. Default: 600, or backoffSeconds where that is more.",
    )
