"""A schedule that Python code declares → ScheduledTask manifests that the operator accepts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from timewright.decisions.acceptance import Refused, accept
from timewright.resources.model import API_VERSION
from timewright.schedule.inexpressible import AS_APP, inexpressible
from timewright.schedule.spec import spec_of
from timewright.timetable.spread import seed_of_task

if TYPE_CHECKING:
    from timewright.schedule.declaration import Declaration
    from timewright.schedule.schedule import Schedule
    from timewright.schedule.settings import Settings

Manifest = dict[str, Any]


class ExportError(Exception):
    """Tasks that no manifest can express. The text tells of each, a line for each, with the remedy."""


def export_app(schedule: Schedule, *, image: str, namespace: str | None = None) -> Manifest:
    """Return one manifest of kind `app`: the cluster has the application run what it finds due, every minute.

    Nothing of the schedule is lost this way, but the cluster sees one task.

    Raises:
        ExportError: when nobody knows where the schedule is found; `loading.load_app` does.

    """
    if schedule.app is None:
        problem = f"schedule {schedule.name!r} was not loaded by its name"
        raise ExportError(f"{problem}; name it as module:attribute, such as --app shop.tasks:schedule")
    name = manifest_name(schedule.name)
    command = ["timewright", "schedule:run", "--app", schedule.app]
    spec: Manifest = {"image": image, "app": {"run": command, "work": [command[0], "schedule:work", *command[2:]]}}
    made = _manifest(name, namespace, schedule, "", spec)
    refusal = _refusal(made)
    if refusal:
        raise ExportError(refusal)
    return made


def export_tasks(
    schedule: Schedule, *, image: str, namespace: str | None = None, note: Callable[[str], None] = lambda text: None
) -> list[Manifest]:
    """Return a manifest for each task: the cluster schedules and records every one by itself.

    Args:
        schedule: its tasks for the environment that is set.
        image: the container image that has the application, and timewright.
        namespace: where the tasks are to be; left out of the manifests when it is None.
        note: told of what differs a little in a cluster.

    Raises:
        ExportError: when a task cannot be expressed; it tells of all that cannot.
        DeclarationError: when a task cannot be built at all.

    """
    manifests: dict[str, Manifest] = {}
    problems: list[str] = []
    for task in schedule.tasks():
        declaration = schedule.declaration_of(task.name)
        where = f"{declaration.place}: task {task.name!r}"
        reasons = [*inexpressible(declaration, task)]
        if not reasons:
            name = manifest_name(task.name)
            spec = spec_of(declaration, task, image)
            made = _manifest(name, namespace, schedule, declaration.settings.description, spec)
            refusal = _refusal(made)
            if refusal:
                reasons.append(f"{refusal}; or {AS_APP}")
            elif name in manifests:
                reasons.append(f"its name becomes {name!r}, which another task has; rename one of them")
            else:
                manifests[name] = made
                for text in _differences(declaration):
                    note(f"{where}: {text}")
        problems += [f"{where}: {reason}" for reason in reasons]
    if problems:
        raise ExportError("\n".join(problems))
    return list(manifests.values())


def manifest_name(name: str) -> str:
    """Return a name as Kubernetes has names: lower case, with hyphens for what it does not know."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", name)
    return re.sub(r"[^a-z0-9]+", "-", spaced.lower()).strip("-")[:63].rstrip("-")


def _manifest(name: str, namespace: str | None, schedule: Schedule, description: str, spec: Manifest) -> Manifest:
    metadata: Manifest = {"name": name}
    if namespace is not None:
        metadata["namespace"] = namespace
    metadata["labels"] = {"app.kubernetes.io/part-of": manifest_name(schedule.name)}
    if description:
        metadata["annotations"] = {"kubernetes.io/description": description}
    return {"apiVersion": API_VERSION, "kind": "ScheduledTask", "metadata": metadata, "spec": spec}


def _refusal(manifest: Manifest) -> str | None:
    metadata = manifest["metadata"]
    verdict = accept(manifest["spec"], seed=seed_of_task(metadata.get("namespace") or "default", metadata["name"]))
    return verdict.message if isinstance(verdict, Refused) else None


def _differences(declaration: Declaration) -> Iterator[str]:
    """Yield what is not quite the same in a cluster."""
    settings = declaration.settings
    if any(re.search(r"\bH", expression) for expression in _expressions_said(settings)):
        yield "H is spread by namespace and name of the manifest, so its numbers may differ from those outside"
    if any(expression.startswith("@every") for expression in settings.expressions):
        yield "@every counts from the last run in a cluster, and from a fixed instant outside"
    if settings.by_hand:
        yield "it is suspended, so that it runs by hand only"


def _expressions_said(settings: Settings) -> tuple[str, ...]:
    return settings.expressions or (settings.second, settings.minute, settings.hour, settings.day_of_month)
