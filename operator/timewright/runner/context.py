"""What a run is: its identity, nominal time, parameters, and the environment that the task sees."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from timewright.resources import definition as names
from timewright.resources.times import format_time
from timewright.resources.vocabulary import Trigger
from timewright.runner.current_run import RunInfo
from timewright.runner.definition import Definition, DefinitionError
from timewright.runner.expansion import referred

if TYPE_CHECKING:
    from timewright.resources.kinds import HttpRequest
    from timewright.runner.output import Output

SHORTEST_SECRET = 4
"""Secrets of fewer characters are not masked: hiding each "1" would garble the log, and tell what is hidden."""

SHORTEST_EXPANDED_SECRET = 8
"""The same for values that `$(NAME)` puts into a request, of which most are no secrets."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class RunContext:
    """One run of a task. `scheduled_at` is the nominal time, an aware UTC instant."""

    __slots__ = (
        "_base",
        "_environment",
        "_extra",
        "attempt",
        "closed_streams",
        "ended",
        "is_manifest",
        "last_success_at",
        "masked",
        "output",
        "parameters",
        "run_id",
        "scheduled_at",
        "secrets",
        "task",
        "trigger",
    )

    def __init__(
        self,
        task: str,
        run_id: str,
        scheduled_at: datetime,
        *,
        environ: Mapping[str, str],
        extra: Mapping[str, str] = _NOTHING,
        parameters: Mapping[str, Any] = _NOTHING,
        secrets: Mapping[str, str] = _NOTHING,
        trigger: Trigger = Trigger.SCHEDULE,
        last_success_at: datetime | None = None,
        is_manifest: bool = False,
    ) -> None:
        """Use `run_context` or `context_of_run`."""
        self.task = task
        self.run_id = run_id
        self.scheduled_at = scheduled_at
        self.parameters = parameters
        self.trigger = trigger
        self.last_success_at = last_success_at
        self.attempt = 1
        """The number of the attempt that is being made; counts from 1."""
        self.secrets = secrets
        """Values of the Secrets that the definition names, by environment variable."""
        self.masked: tuple[str, ...] = ()
        """Texts that no log and no record may show."""
        self.is_manifest = is_manifest
        """Whether the task was declared in a manifest, so that messages name its fields."""
        self.output: Output | None = None
        """Where functions in this process print to, while one of them runs."""
        self.closed_streams = 0
        """Which of the standard streams the function has closed, as bits by descriptor."""
        self.ended: float | None = None
        """When the function ended; None where that is not known better than to whoever waits for it."""
        self._base = environ
        self._extra = extra
        self._environment: dict[str, str] | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """What the task's process sees: neither the secrets of `http` tasks nor the definition.

        It is made when it is first asked for, since a function in this process never does.
        """
        if self._environment is None:
            self._environment = self._make_environment()
        return self._environment

    @property
    def has_own_variables(self) -> bool:
        """Whether the definition adds variables, which only a process of its own can have."""
        return bool(self._extra)

    def begin_attempt(self, number: int) -> None:
        """Be the context of that attempt from now on."""
        self.attempt = number
        if self._environment is not None:
            self._environment = {**self._environment, names.ATTEMPT: str(number)}

    def info(self) -> RunInfo:
        """Return what the code of the task may know."""
        return RunInfo(
            self.task,
            self.run_id,
            self.scheduled_at,
            self.parameters,
            self.trigger,
            self.attempt,
            self.last_success_at,
        )

    def _make_environment(self) -> dict[str, str]:
        # All secrets, not its own only: of a daemon's process, which holds those of many tasks, it may be a child.
        environment = {name: value for name, value in self._base.items() if not name.startswith(names.SECRET_PREFIX)}
        environment |= self._extra
        environment.pop(names.DEFINITION, None)
        environment.setdefault(names.TASK_NAME, self.task)
        environment[names.RUN_ID] = self.run_id
        environment[names.SCHEDULED_AT] = format_time(self.scheduled_at)
        environment[names.TRIGGER] = self.trigger.value
        environment[names.ATTEMPT] = str(self.attempt)
        if self.last_success_at is not None:
            environment[names.LAST_SUCCESS_AT] = format_time(self.last_success_at)
        if self.parameters:
            environment[names.PARAMETERS] = json.dumps(
                dict(self.parameters), separators=(",", ":"), ensure_ascii=False, default=str
            )
        for name, value in self.parameters.items():
            environment[names.parameter_variable(name)] = _as_text(value)
        return environment


def run_context(definition: Definition, environ: Mapping[str, str], now: datetime) -> RunContext:
    """Gather what a run is from the runner's own environment.

    `now` is an aware instant; cut to the minute it is the nominal time where the environment tells none. Raises
    DefinitionError when the environment contradicts the definition.
    """
    scheduled_at = _nominal_time(environ, now)
    run_id = environ.get(names.RUN_ID) or f"{definition.name}-{int(scheduled_at.timestamp()) // 60}"
    context = RunContext(
        definition.name,
        run_id,
        scheduled_at,
        environ=environ,
        extra=definition.environment,
        parameters=_parameters(definition, _given_parameters(environ)),
        secrets=_secrets(definition, environ),
        trigger=_trigger(environ),
        is_manifest=definition.is_manifest,
    )
    context.masked = _masked(definition, context)
    return context


def context_of_run(
    definition: Definition,
    run_id: str,
    scheduled_at: datetime,
    *,
    environ: Mapping[str, str],
    trigger: Trigger = Trigger.SCHEDULE,
    parameters: Mapping[str, Any] = _NOTHING,
    last_success_at: datetime | None = None,
) -> RunContext:
    """Say what a run is, for those who know: an engine with many runs in one process.

    `environ` is what processes are given besides; a copy of `os.environ` that is made once serves all runs. Raises
    DefinitionError when a secret that the definition names is not in it.
    """
    context = RunContext(
        definition.name,
        run_id,
        scheduled_at,
        environ=environ,
        extra=definition.environment,
        parameters=_parameters(definition, parameters) if parameters or definition.parameters else _NOTHING,
        trigger=trigger,
        last_success_at=last_success_at,
        is_manifest=definition.is_manifest,
    )
    if definition.kind == "http":
        context.secrets = _secrets(definition, environ)
        context.masked = _masked(definition, context)
    return context


def _nominal_time(environ: Mapping[str, str], now: datetime) -> datetime:
    text = environ.get(names.SCHEDULED_AT)
    if text:
        return _parse_nominal_time(text)
    from_name = names.nominal_time_from_job_name(environ.get(names.RUN_ID, ""))
    return from_name or now.astimezone(UTC).replace(second=0, microsecond=0)


def _parse_nominal_time(text: str) -> datetime:
    expected = "expected a time with its offset, such as 2026-03-01T04:00:00Z"
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise DefinitionError(f"{names.SCHEDULED_AT} is {text!r}; {expected}") from error
    if instant.tzinfo is None:
        raise DefinitionError(f"{names.SCHEDULED_AT} is {text!r}, which has no offset; {expected}")
    return instant.astimezone(UTC)


def _given_parameters(environ: Mapping[str, str]) -> dict[str, Any]:
    text = environ.get(names.PARAMETERS) or "{}"
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise DefinitionError(f"{names.PARAMETERS} is {text[:200]!r}; expected a JSON object ({error})") from error
    if not isinstance(given, dict):
        raise DefinitionError(f"{names.PARAMETERS} is {text[:200]!r}; expected a JSON object")
    return given


def _parameters(definition: Definition, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the declared parameters, the run's own or else the defaults.

    A call of an object declares its parameters by its signature, so it gets whatever it is given.
    """
    values = {each.name: given.get(each.name, each.default) for each in definition.parameters}
    if definition.kind == "call":
        values = {**values, **given}
    return {name: value for name, value in values.items() if value is not None}


def _trigger(environ: Mapping[str, str]) -> Trigger:
    try:
        return Trigger(environ.get(names.TRIGGER) or Trigger.SCHEDULE)
    except ValueError:
        return Trigger.SCHEDULE


def _masked(definition: Definition, context: RunContext) -> tuple[str, ...]:
    masked = [value for value in context.secrets.values() if len(value) >= SHORTEST_SECRET]
    masked += _expanded_secrets(definition, context.environment)
    return tuple(dict.fromkeys(masked))


def _secrets(definition: Definition, environ: Mapping[str, str]) -> dict[str, str]:
    if definition.kind != "http":
        return {}
    request = cast("HttpRequest", definition.work)
    found: dict[str, str] = {}
    for index, reference in request.secrets():
        variable = names.secret_variable(reference.name, reference.key)
        value = environ.get(variable)
        if value is None:
            raise DefinitionError(
                f"spec.http.headers[{index}].valueFrom: key {reference.key!r} of Secret {reference.name!r} was not "
                f"handed in; outside Kubernetes set it as the environment variable {variable}"
            )
        # A Secret made from a file ends in a newline more often than not, and no header value may hold one.
        found[variable] = value.strip()
    return found


_NO_SECRETS = ("TIMEWRIGHT_", "KUBERNETES_")
"""How the names of variables begin that we or the kubelet set."""


def _expanded_secrets(definition: Definition, environment: Mapping[str, str]) -> list[str]:
    """Return values that `$(NAME)` puts into the URL or a header and that may well be secret.

    Only the Pod knows which of its variables come from a Secret, so every value counts that is long enough.
    """
    if definition.kind != "http":
        return []
    request = cast("HttpRequest", definition.work)
    texts = [request.url, *(header.value or "" for header in request.headers)]
    used = {name for text in texts for name in referred(text)}
    values = (environment.get(name, "") for name in used if not name.startswith(_NO_SECRETS))
    return [value for value in values if len(value) >= SHORTEST_EXPANDED_SECRET]


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
