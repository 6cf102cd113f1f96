"""The base of every model: the one place that maps snake_case in Python to camelCase in manifests."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

from timewright.resources.group import API_VERSION as API_VERSION
from timewright.resources.group import GROUP as GROUP
from timewright.resources.group import VERSION as VERSION
from timewright.resources.times import format_time as format_time
from timewright.resources.times import parse_time as parse_time


class Model(BaseModel):
    """A part of a manifest. Unknown fields are refused, so a typo never passes silently."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")

    def to_manifest(self) -> dict[str, Any]:
        """Return the camelCase JSON form, without fields that are unset."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Told(Model):
    """A part of what one program tells another: a status, a report. Fields that a newer one adds are passed over."""

    model_config = ConfigDict(extra="ignore")


def _instant(value: object) -> object:
    if isinstance(value, str):
        return parse_time(value)
    # YAML may have made a time of it already, which is UTC as well where it has no offset.
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime(value.year, value.month, value.day, tzinfo=UTC) if isinstance(value, date) else value


Time = Annotated[
    datetime,
    BeforeValidator(_instant),
    PlainSerializer(format_time, return_type=str, when_used="json"),
    Field(json_schema_extra={"type": "string", "format": "date-time"}),
]
"""An instant, UTC, to the second (`metav1.Time`)."""


def opaque_object(description: str) -> Any:
    """Declare an optional Kubernetes object of another API, kept as it was written.

    Its schema is left to the API server that owns it: what the server does not know is refused when the child object
    is applied with strict field validation, and our CRDs stay small enough for client-side `kubectl apply`.
    """
    return Field(
        default=None,
        description=description,
        json_schema_extra={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    )


def opaque_list(description: str) -> Any:
    """Declare an optional list of Kubernetes objects of another API, kept as they were written."""
    return Field(
        default=None,
        description=description,
        json_schema_extra={
            "type": "array",
            "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    )


def with_rules(*pairs: tuple[str, str]) -> ConfigDict:
    """Attach CEL rules (`x-kubernetes-validations`) to a model: pairs of an expression and what to tell a person."""
    return ConfigDict(json_schema_extra={"x-kubernetes-validations": rules(*pairs)})


def rules(*pairs: tuple[str, str]) -> list[Any]:
    """Write CEL rules, pairs of an expression and what to tell a person, as a schema has them."""
    return [{"rule": expression, "message": message} for expression, message in pairs]
