"""Reads tasks out of files with ScheduledTask manifests, to run them without a cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from timewright.decisions.acceptance import Refused, accept, describe
from timewright.decisions.policies_of_spec import NO_SLOTS, is_exclusive, policies_of
from timewright.decisions.timetable_of_spec import schedule_id_of
from timewright.engine.task import Task
from timewright.resources.model import API_VERSION, GROUP
from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.resources.task_daemon import TaskDaemonSpec
from timewright.runner.definition import Definition
from timewright.runner.manifest import definition_from_spec
from timewright.schedule.errors import LoadError
from timewright.storage.protocol import Retention
from timewright.timetable.spread import seed_of_task

KIND = "ScheduledTask"
DAEMON_KIND = "TaskDaemon"
SUFFIXES = (".yaml", ".yml", ".json")
"""Of a folder, files that end like this are read."""
DEFAULT_NAMESPACE = "default"

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Paths = Iterable[str | os.PathLike[str]]


def load_manifests(paths: Paths, note: Callable[[str], None] = lambda text: None) -> list[Task]:
    """Return the tasks of files, and of the files in folders.

    Args:
        paths: files and folders.
        note: told of what was passed over: documents of other kinds, fields that mean nothing without a cluster.

    Raises:
        LoadError: when a file cannot be read or a task cannot run here; it tells of all that is wrong, a line for each.

    """
    tasks: dict[str, tuple[str, Task]] = {}
    problems: list[str] = []
    found = [each for file in files_of(paths) for each in _documents(file, problems)]
    slots = _slots(found, problems)
    for place, manifest in found:
        if not _is_ours(manifest, KIND):
            what = "passed over but for its locks" if _is_ours(manifest, DAEMON_KIND) else "passed over"
            note(f"{place}: {what}, since it is {_described(manifest)} and no {KIND}")
            continue
        try:
            task = _task(place, manifest, note, slots)
        except LoadError as error:
            problems.append(str(error))
            continue
        first = tasks.setdefault(task.key, (place, task))[0]
        if first != place:
            problems.append(f"{place}: metadata: task {task.key} is in {first} too; remove one of them")
    if problems:
        raise LoadError("\n".join(problems))
    return [task for _, task in tasks.values()]


def files_of(paths: Paths) -> list[Path]:
    """Return files, and the files in folders that may hold manifests.

    Raises:
        LoadError: when there is no such file or folder.

    """
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            files += sorted(each for each in path.iterdir() if each.suffix in SUFFIXES and each.is_file())
        elif path.exists():
            files.append(path)
        else:
            raise LoadError(f"-f {path}: there is no such file or folder; correct the path")
    return files


def fingerprint(paths: Paths) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when any of the files does: names, times of change in nanoseconds, sizes."""
    found = []
    for path in map(Path, paths):
        for file in files_of([path]) if path.exists() else []:
            try:
                state = file.stat()
            except FileNotFoundError:
                continue
            found.append((str(file), state.st_mtime_ns, state.st_size))
    return tuple(found)


def _documents(file: Path, problems: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield each document of a file, with the words that say where it is; lists are taken apart."""
    try:
        documents = list(yaml.load_all(file.read_bytes(), Loader=_Loader))
    except OSError as error:
        problems.append(f"-f {file}: cannot be read: {error.strerror}")
        return
    except (yaml.YAMLError, ValueError) as error:
        problems.append(f"-f {file}: is not YAML: {' '.join(str(error).split())}")
        return
    for number, document in enumerate(documents, 1):
        place = str(file) if len(documents) == 1 else f"{file}, document {number}"
        if isinstance(document, dict) and isinstance(document.get("items"), list) and document.get("kind") != KIND:
            for index, item in enumerate(document["items"]):
                yield f"{place}, items[{index}]", item
        elif document is not None:
            yield place, document


def _slots(found: Iterable[tuple[str, Any]], problems: list[str]) -> dict[tuple[str, str], dict[str, int]]:
    """Return how many runs may hold which lock, by the namespaces and names of the TaskDaemons that say so."""
    slots: dict[tuple[str, str], dict[str, int]] = {}
    for place, manifest in found:
        if not _is_ours(manifest, DAEMON_KIND):
            continue
        metadata = manifest.get("metadata") or {}
        try:
            spec = TaskDaemonSpec.model_validate(manifest.get("spec") or {})
        except ValidationError as error:
            problems.append(f"{place}: {describe(error)}")
            continue
        key = str(metadata.get("namespace") or DEFAULT_NAMESPACE), str(metadata.get("name"))
        slots[key] = {lock.name: lock.slots for lock in spec.locks}
    return slots


def _is_ours(manifest: Any, kind: str) -> bool:
    if not isinstance(manifest, dict) or manifest.get("kind") != kind:
        return False
    return str(manifest.get("apiVersion")).partition("/")[0] == GROUP


def _described(manifest: Any) -> str:
    if not isinstance(manifest, dict):
        return f"a {type(manifest).__name__}"
    return f"{manifest.get('apiVersion') or 'of no apiVersion'} {manifest.get('kind') or 'of no kind'}"


def _task(
    place: str,
    manifest: dict[str, Any],
    note: Callable[[str], None],
    slots: Mapping[tuple[str, str], Mapping[str, int]],
) -> Task:
    if manifest["apiVersion"] != API_VERSION:
        problem = f"apiVersion: {manifest['apiVersion']!r} is not known"
        raise LoadError(f"{place}: {problem}; write {API_VERSION}, or use the version of timewright that knows it")
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        raise LoadError(f"{place}: metadata.name: required; name the task")
    name, namespace = metadata["name"], metadata.get("namespace") or DEFAULT_NAMESPACE
    place = f"{place}: {name}"
    seed = seed_of_task(namespace, name)
    raw_spec = manifest.get("spec")
    if not isinstance(raw_spec, dict):
        raise LoadError(f"{place}: spec: required; say what to run, and when")
    verdict = accept(raw_spec, seed=seed, native=False)
    if isinstance(verdict, Refused):
        raise LoadError(f"{place}: {verdict.message}")
    spec = verdict.spec
    return Task(
        definition=_definition(place, name, namespace, spec, note),
        key=f"{namespace}/{name}",
        timetable=verdict.schedule,
        schedule_id=schedule_id_of(spec, seed=seed),
        policies=policies_of(spec, slots.get((namespace, spec.daemon_name), NO_SLOTS)),
        suspended=spec.suspend,
        exclusive=is_exclusive(spec),
        jitter=spec.jitter_seconds or 0,
        retention=Retention(
            succeeded_runs=spec.successful_runs_history_limit,
            other_runs=spec.failed_runs_history_limit,
            max_age=spec.runs_history_max_age_seconds,
        ),
    )


def _definition(
    place: str, name: str, namespace: str, spec: ScheduledTaskSpec, note: Callable[[str], None]
) -> Definition:
    if spec.job_template is not None:
        problem = "spec.jobTemplate: a Job needs a cluster to run in"
        raise LoadError(f"{place}: {problem}; write what it runs as spec.command, or leave it to the operator")
    of_pods = [field for field in _OF_PODS if getattr(spec, field) is not None]
    if of_pods:
        fields = ", ".join(f"spec.{_OF_PODS[field]}" for field in of_pods)
        note(f"{place}: {fields}: passed over, since there is no Pod; it runs on this machine as it is")
    if spec.notify:
        note(f"{place}: spec.notify: passed over, since there is no daemon or operator to tell anybody")
    if spec.app is not None:
        spec = spec.model_copy(update={"command": spec.app.run, "app": None})
    return replace(definition_from_spec(name, namespace, spec), environment=_environment(place, spec))


_OF_PODS = {"image": "image", "env_from": "envFrom", "resources": "resources", "pod_template": "podTemplate"}


def _environment(place: str, spec: ScheduledTaskSpec) -> dict[str, str]:
    """Return the variables of `env`; those that a cluster would fill in have to be there already."""
    variables: dict[str, str] = {}
    for index, each in enumerate(spec.env or ()):
        name = each.get("name")
        if not isinstance(name, str) or not name:
            raise LoadError(f"{place}: spec.env[{index}].name: required; name the variable")
        if each.get("valueFrom") is None:
            variables[name] = str(each.get("value") or "")
        elif name not in os.environ:
            problem = f"spec.env[{name}].valueFrom: there is no cluster to take it from"
            raise LoadError(f"{place}: {problem}; set the variable {name} where this runs")
    return variables
