"""What the runner executes, wherever it was declared: `manifest` reads it out of a ScheduledTask."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from timewright.decisions.parameters import DeclaredParameter
from timewright.decisions.policies import Retry
from timewright.runner.call import Call
from timewright.runner.hooks import NO_HOOKS, Hooks

if TYPE_CHECKING:
    from timewright.resources.kinds import HttpRequest, PythonCall
    from timewright.runner.elsewhere import Elsewhere

    Work: TypeAlias = list[str] | HttpRequest | PythonCall | Call | Elsewhere
    """What to run: the arguments of a command, the model of the kind, or a call of an object."""

Kind = Literal["command", "http", "python", "call", "job"]


class DefinitionError(Exception):
    """The definition, or what else was handed to the runner, cannot be run. The text names field, value and remedy."""


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file that gets all that a task prints, besides the log and the record; secrets are masked."""

    path: str
    append: bool = False
    """Add to what is there, rather than begin anew with each run."""


NO_RETRY = Retry()


@dataclass(frozen=True, slots=True)
class Definition:
    """A task that the runner can execute."""

    name: str
    namespace: str
    kind: Kind
    work: Work
    parameters: Sequence[DeclaredParameter] = ()
    timeout_seconds: float | None = None
    """For each attempt."""
    retry: Retry = NO_RETRY
    hooks: Hooks = NO_HOOKS
    memory_limit_bytes: int | None = None
    """How much the processes of the task may hold together."""
    output_file: OutputFile | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    """Further variables. They belong to a process, so a `call` that has any gets one of its own."""
    is_manifest: bool = False
    """Whether it was declared in a ScheduledTask, so that messages name its fields."""
    is_plain_call: bool = field(init=False)
    """Whether it does no more than call an async function on this event loop, see `plain_call`."""

    def __post_init__(self) -> None:
        """Look at the definition once rather than at each run."""
        work = self.work
        is_plain = (
            isinstance(work, Call)
            and work.is_async
            and not work.isolated
            and self.timeout_seconds is None
            and self.memory_limit_bytes is None
            and self.output_file is None
            and self.hooks is NO_HOOKS
            and self.retry.limit == 0
            and not self.environment
        )
        object.__setattr__(self, "is_plain_call", is_plain)

    def summary(self) -> str:
        """Return what it runs in a few words, for the log; as it is written, so no variable is shown."""
        work: Any = self.work
        if self.kind == "http":
            return f"http {work.method} {public_url(work.url)}"
        if self.kind == "python":
            return f"python {work.call}"
        if self.kind in ("call", "job"):
            return f"{self.kind} {work.name}"
        return f"command {json.dumps(work, ensure_ascii=False)}"


def public_url(url: str) -> str:
    """Return a URL without what may be secret in it: credentials and query."""
    scheme, separator, rest = url.partition("?")[0].partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"
