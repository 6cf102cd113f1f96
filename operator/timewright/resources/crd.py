"""Generates the CustomResourceDefinitions in `crds/` from the models: `python -m timewright.resources.crd DIRECTORY`.

A CRD takes a *structural* schema
(https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/): no references, no
`anyOf` with types, no `additionalProperties` beside `properties`. Pydantic's JSON schema is reduced to that.
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import yaml

from timewright.resources.model import GROUP, VERSION, Model, rules
from timewright.resources.scheduled_task import ScheduledTaskSpec, ScheduledTaskStatus
from timewright.resources.task_daemon import NAME_RULE, TaskDaemonSpec, TaskDaemonStatus
from timewright.resources.task_run import TaskRunSpec, TaskRunStatus

Schema = dict[str, Any]

_DROPPED = ("title", "$defs", "discriminator")


def structural_schema(model: type[Model]) -> Schema:
    """Return the model's schema in the structural form that a CRD takes."""
    raw = model.model_json_schema(by_alias=True, mode="validation")
    definitions: dict[str, Schema] = raw.get("$defs", {})
    return _structural(raw, definitions)


def _structural(node: Schema, definitions: dict[str, Schema]) -> Schema:
    node = _without_reference(node, definitions)
    node = _without_null(node, definitions)
    result: Schema = {}
    for key, value in node.items():
        if key in _DROPPED or (key == "default" and value is None):
            continue
        if key == "additionalProperties" and not isinstance(value, dict):
            continue
        if key == "const":
            result["enum"] = [value]
        elif key == "properties":
            result[key] = {name: _structural(child, definitions) for name, child in value.items()}
        elif key in ("items", "additionalProperties"):
            result[key] = _structural(value, definitions)
        else:
            result[key] = copy.deepcopy(value)  # YAML would write what is shared as an anchor
    if "x-kubernetes-preserve-unknown-fields" in result:
        result.pop("additionalProperties", None)
    return result


def _without_reference(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """Put a referenced definition in the reference's place; what is said beside the reference wins."""
    reference = node.get("$ref")
    if reference is None:
        return node
    target = definitions[reference.rpartition("/")[2]]
    return {**target, **{key: value for key, value in node.items() if key != "$ref"}}


def _without_null(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """Reduce `anyOf: [X, null]`, which is how pydantic says "optional", to X."""
    choices = node.get("anyOf")
    if choices is None:
        return node
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    real = [choice for choice in choices if choice.get("type") != "null"]
    if "x-kubernetes-preserve-unknown-fields" in rest or rest.get("type") == "array":
        return rest
    (only,) = real
    return {**_without_reference(only, definitions), **rest}


def _column(name: str, kind: str, path: str, *, wide: bool = False, description: str = "") -> Schema:
    column: Schema = {"name": name, "type": kind, "jsonPath": path}
    if description:
        column["description"] = description
    if wide:
        column["priority"] = 1
    return column


def _definition(
    kind: str,
    plural: str,
    short_name: str,
    description: str,
    spec: type[Model],
    status: type[Model],
    columns: list[Schema],
) -> Schema:
    singular = kind.lower()
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{GROUP}",
            "annotations": {"helm.sh/resource-policy": "keep"},
            "labels": {"app.kubernetes.io/name": "timewright", "app.kubernetes.io/part-of": "timewright"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": singular,
                "shortNames": [short_name],
                "categories": ["timewright"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": columns,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "description": description,
                            "required": ["spec"],
                            "properties": {
                                "apiVersion": {"type": "string"},
                                "kind": {"type": "string"},
                                "metadata": {"type": "object"},
                                "spec": structural_schema(spec),
                                "status": structural_schema(status),
                            },
                        }
                    },
                }
            ],
        },
    }


def custom_resource_definitions() -> dict[str, Schema]:
    """Return every CRD by its file name."""
    age = _column("Age", "date", ".metadata.creationTimestamp")
    task = _definition(
        "ScheduledTask",
        "scheduledtasks",
        "st",
        "A ScheduledTask declares what to run and when. It accounts for its runs: each leaves a TaskRun.",
        ScheduledTaskSpec,
        ScheduledTaskStatus,
        [
            _column("Schedule", "string", ".spec.schedule"),
            _column("Time Zone", "string", ".spec.timeZone", wide=True),
            _column("Mode", "string", ".spec.mode"),
            _column("Suspend", "boolean", ".spec.suspend"),
            _column("Accepted", "string", '.status.conditions[?(@.type=="Accepted")].status'),
            _column("Active", "integer", ".status.activeCount"),
            _column("Next", "string", ".status.nextTick", description="The next nominal time, UTC."),
            _column("Last", "date", ".status.lastTick"),
            _column("Outcome", "string", ".status.lastOutcome"),
            _column("Last Success", "date", ".status.lastSuccessTime", wide=True),
            age,
        ],
    )
    run = _definition(
        "TaskRun",
        "taskruns",
        "tr",
        "A TaskRun records one run of a ScheduledTask and outlives its Job. Creating one by hand runs the task now.",
        TaskRunSpec,
        TaskRunStatus,
        [
            _column("Task", "string", ".spec.taskRef.name"),
            _column("Trigger", "string", ".spec.trigger"),
            _column("Phase", "string", ".status.phase"),
            _column("Outcome", "string", ".status.outcome"),
            _column("Reason", "string", ".status.reason"),
            _column("Scheduled", "date", ".spec.scheduledAt"),
            _column("Delay", "integer", ".status.startDelaySeconds", wide=True),
            _column("Exit Code", "integer", ".status.exitCode", wide=True),
            _column("Job", "string", ".status.jobName", wide=True),
            age,
            _column("Message", "string", ".status.message", wide=True),
        ],
    )
    daemon = _definition(
        "TaskDaemon",
        "taskdaemons",
        "td",
        "A TaskDaemon starts the runs of ScheduledTasks of mode Daemon in its namespace, from a process that keeps "
        "running.",
        TaskDaemonSpec,
        TaskDaemonStatus,
        [
            _column("Replicas", "integer", ".spec.replicas"),
            _column("Ready", "integer", ".status.readyReplicas"),
            _column("Leader", "string", ".status.leader"),
            _column("Tasks", "integer", ".status.tasks"),
            _column("Lagging", "string", '.status.conditions[?(@.type=="Lagging")].status'),
            _column("Image", "string", ".spec.image", wide=True),
            age,
        ],
    )
    (version,) = daemon["spec"]["versions"]
    version["schema"]["openAPIV3Schema"]["x-kubernetes-validations"] = rules(NAME_RULE)
    return {"scheduledtasks.yaml": task, "taskruns.yaml": run, "taskdaemons.yaml": daemon}


HEADER = "# Generated by `make crds` from operator/timewright/resources. Do not edit.\n"


def render(definition: Schema) -> str:
    """Write one CRD as YAML."""
    return HEADER + yaml.safe_dump(definition, sort_keys=False, width=120, allow_unicode=True)


def main(directory: str) -> None:
    """Write every CRD into a directory."""
    target = Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    for name, definition in custom_resource_definitions().items():
        (target / name).write_text(render(definition))


if __name__ == "__main__":
    main(*sys.argv[1:])
