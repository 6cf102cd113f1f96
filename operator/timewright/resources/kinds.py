"""What a task may run, apart from a whole `jobTemplate`: an HTTP request, a Python call, an application."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from timewright.resources.model import Model, with_rules


class HttpMethod(StrEnum):
    """The request methods of RFC 9110 that make sense for a scheduled call."""

    GET = "GET"
    HEAD = "HEAD"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"
    OPTIONS = "OPTIONS"


class SecretKeyReference(Model):
    """One key of a Secret in the task's own namespace."""

    name: str = Field(min_length=1, description="Name of the Secret.")
    key: str = Field(min_length=1, description="Key within the Secret.")


class HeaderSource(Model):
    """Where a header's value comes from."""

    secret_key_ref: SecretKeyReference = Field(description="A key of a Secret in the task's namespace.")


class HttpHeader(Model):
    """One request header."""

    model_config = with_rules(("has(self.value) != has(self.valueFrom)", "set exactly one of value and valueFrom"))

    name: str = Field(min_length=1, max_length=256, description="Header name.")
    value: str | None = Field(default=None, max_length=8192, description="Literal value.")
    value_from: HeaderSource | None = Field(
        default=None, description="Takes the value from a Secret. It is masked in every record and log."
    )


StatusPattern = Annotated[str, Field(pattern=r"^[1-5](xx|[0-9][0-9])$")]


class HttpRequest(Model):
    """An HTTP request whose response decides the outcome."""

    method: HttpMethod = Field(default=HttpMethod.GET, description="Request method.")
    url: str = Field(min_length=1, max_length=4096, pattern=r"^https?://.+", description="Absolute http or https URL.")
    headers: list[HttpHeader] = Field(
        default_factory=list, max_length=64, description="Request headers, in order; a name may occur twice."
    )
    body: str | None = Field(default=None, max_length=65536, description="Request body, sent as UTF-8.")
    expected_status: list[StatusPattern] = Field(
        default=["2xx"],
        min_length=1,
        max_length=32,
        description="Response statuses that count as success: `204`, or a class such as `2xx`. Redirects are not "
        "followed, so a `3xx` is a failure unless named here.",
    )

    def secrets(self) -> Iterator[tuple[int, SecretKeyReference]]:
        """Yield the position of each header whose value is from a Secret, and which key of which Secret it is."""
        for index, header in enumerate(self.headers):
            if header.value_from is not None:
                yield index, header.value_from.secret_key_ref


class PythonCall(Model):
    """A call of a Python function that the image contains."""

    call: str = Field(
        max_length=512,
        pattern=r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_.]*$",
        description="The function, as `module:function`; it may be async.",
    )
    args: list[Any] = Field(
        default_factory=list,
        max_length=64,
        description="Positional arguments.",
        json_schema_extra={"items": {"x-kubernetes-preserve-unknown-fields": True}},
    )
    kwargs: dict[str, Any] = Field(
        default_factory=dict,
        description="Keyword arguments. Parameters of the run are added to these under their names.",
        json_schema_extra={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    )
    setup: Literal["django"] | None = Field(
        default=None,
        description="Framework to set up first: `django` calls `django.setup()`; set DJANGO_SETTINGS_MODULE in env.",
    )


Command = Annotated[list[str], Field(min_length=1, max_length=256)]


class Application(Model):
    """An application that keeps a schedule of its own, in any framework."""

    run: Command = Field(
        description="Command that runs whatever the application finds due now, such as `[php, artisan, schedule:run]`. "
        "CronJob mode starts it on the task's schedule, every minute unless told otherwise.",
    )
    work: Command | None = Field(
        default=None,
        description="Command that keeps the application's schedule running, such as `[php, artisan, schedule:work]`. "
        "In mode Daemon it is kept running in a Deployment of its own; without it, run starts as a Job at each tick. "
        "Mode CronJob does not use it.",
    )


class ParameterType(StrEnum):
    """The JSON type of a parameter."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"


class Parameter(Model):
    """A value that a run may vary."""

    name: str = Field(
        pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$",
        max_length=63,
        description="Name. The run sees the value as an environment variable that is named TIMEWRIGHT_PARAMETER_ "
        "and this name in upper case.",
    )
    type: ParameterType = Field(default=ParameterType.STRING, description="JSON type of the value.")
    description: str | None = Field(default=None, max_length=1024, description="What it is for.")
    default: Any = Field(
        default=None,
        description="Value when a run names none, scheduled runs included. Without it a manual run must name one.",
        json_schema_extra={"x-kubernetes-preserve-unknown-fields": True},
    )
    allowed_values: list[Any] | None = Field(
        default=None,
        max_length=128,
        description="When set, the only values accepted.",
        json_schema_extra={"type": "array", "items": {"x-kubernetes-preserve-unknown-fields": True}},
    )
