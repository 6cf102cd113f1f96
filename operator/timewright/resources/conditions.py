"""Status conditions after the Kubernetes API conventions: positive polarity, a reason each, stable transition times."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pydantic import Field

from timewright.resources.model import Time, Told


class Condition(Told):
    """One `metav1.Condition`."""

    type: str = Field(max_length=316, description="Condition type, in CamelCase.")
    status: str = Field(description="True, False or Unknown.", json_schema_extra={"enum": ["True", "False", "Unknown"]})
    reason: str = Field(max_length=1024, min_length=1, description="One CamelCase word that tells why.")
    message: str = Field(default="", max_length=32768, description="What a person should know.")
    last_transition_time: Time = Field(description="When the status last changed.")
    observed_generation: int | None = Field(default=None, ge=0, description="The metadata.generation it speaks of.")


def condition(
    type: str,  # noqa: A002 - the field's name in the API
    status: bool | None,
    reason: str,
    message: str,
    *,
    now: datetime,
    generation: int | None = None,
) -> Condition:
    """Make a condition; `None` means Unknown. `now` is an aware instant."""
    word = "Unknown" if status is None else str(status)
    return Condition(
        type=type,
        status=word,
        reason=reason,
        message=message[:32768],
        last_transition_time=now.replace(microsecond=0),
        observed_generation=generation,
    )


def merge_conditions(old: Iterable[Condition], new: Iterable[Condition]) -> list[Condition]:
    """Lay new conditions over old ones; a status that did not change keeps its transition time."""
    merged = {each.type: each for each in old}
    for each in new:
        previous = merged.get(each.type)
        if previous is not None and previous.status == each.status:
            each = each.model_copy(update={"last_transition_time": previous.last_transition_time})
        merged[each.type] = each
    return list(merged.values())
