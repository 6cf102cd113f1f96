"""What a run is: its identity, nominal time, parameters, and the environment that the task sees."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from timewright.resources import definition as names
from timewright.resources.kinds import HttpRequest
from timewright.resources.model import format_time
from timewright.runner.definition import Definition, DefinitionError

SHORTEST_SECRET = 4
"""Secrets of fewer characters are not masked: hiding each "1" would garble the log, and tell what is hidden."""

SHORTEST_EXPANDED_SECRET = 8
"""The same for values that `$(NAME)` puts into a request, of which most are no secrets."""

_REFERENCE = re.compile(r"\$(?:\$|\(([^()]*)\))")


@dataclass(frozen=True, slots=True)
class RunContext:
    """One run of a task. `scheduled_at` is the nominal time, an aware UTC instant."""

    run_id: str
    scheduled_at: datetime
    parameters: Mapping[str, Any]
    environment: Mapping[str, str]
    """What the task's process sees: neither the secrets of an `http` task nor the definition."""

    secrets: Mapping[str, str]
    """Values of the Secrets that the definition names, by environment variable."""

    masked: tuple[str, ...]
    """Texts that no log and no record may show."""


def run_context(definition: Definition, environ: Mapping[str, str], now: datetime) -> RunContext:
    """Gather what a run is from the runner's own environment.

    `now` is an aware instant; cut to the minute it is the nominal time where the environment tells none. Raises
    DefinitionError when the environment contradicts the definition.
    """
    scheduled_at = _nominal_time(environ, now)
    run_id = environ.get(names.RUN_ID) or f"{definition.name}-{int(scheduled_at.timestamp()) // 60}"
    parameters = _parameters(definition, environ)
    secrets = _secrets(definition, environ)
    environment = {key: value for key, value in environ.items() if key not in secrets and key != names.DEFINITION}
    environment.setdefault(names.TASK_NAME, definition.name)
    environment[names.RUN_ID] = run_id
    environment[names.SCHEDULED_AT] = format_time(scheduled_at)
    if parameters:
        environment[names.PARAMETERS] = json.dumps(parameters, separators=(",", ":"), ensure_ascii=False)
    for name, value in parameters.items():
        environment[names.parameter_variable(name)] = _as_text(value)
    masked = [value for value in secrets.values() if len(value) >= SHORTEST_SECRET]
    masked += _expanded_secrets(definition, environment)
    return RunContext(
        run_id=run_id,
        scheduled_at=scheduled_at,
        parameters=parameters,
        environment=environment,
        secrets=secrets,
        masked=tuple(dict.fromkeys(masked)),
    )


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Put variables in place of `$(NAME)` as Kubernetes does in a container's args.

    `$$` stands for one `$`, so `$$(NAME)` stays `$(NAME)`; a variable that does not exist stays as it is written. See
    https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/.
    """

    def replacement(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name is None else environment.get(name, match[0])

    return _REFERENCE.sub(replacement, text)


def unresolved(text: str, environment: Mapping[str, str]) -> list[str]:
    """Return the variables that a text refers to and that do not exist."""
    return [match[1] for match in _REFERENCE.finditer(text) if match[1] is not None and match[1] not in environment]


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


def _parameters(definition: Definition, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of the declared parameters: the run's own, else the defaults."""
    text = environ.get(names.PARAMETERS) or "{}"
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise DefinitionError(f"{names.PARAMETERS} is {text[:200]!r}; expected a JSON object ({error})") from error
    if not isinstance(given, dict):
        raise DefinitionError(f"{names.PARAMETERS} is {text[:200]!r}; expected a JSON object")
    values = {each.name: given.get(each.name, each.default) for each in definition.parameters}
    return {name: value for name, value in values.items() if value is not None}


def _secrets(definition: Definition, environ: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(definition.work, HttpRequest):
        return {}
    found: dict[str, str] = {}
    for index, header in enumerate(definition.work.headers):
        if header.value_from is None:
            continue
        reference = header.value_from.secret_key_ref
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
    if not isinstance(definition.work, HttpRequest):
        return []
    texts = [definition.work.url, *(header.value or "" for header in definition.work.headers)]
    used = {match[1] for text in texts for match in _REFERENCE.finditer(text) if match[1]}
    values = (environment.get(name, "") for name in used if not name.startswith(_NO_SECRETS))
    return [value for value in values if len(value) >= SHORTEST_EXPANDED_SECRET]


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
