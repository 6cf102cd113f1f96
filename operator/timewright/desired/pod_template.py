"""The Pod of a task that says `command`, `http`, `python` or `app`; and a user's own Pod, told which run it is."""

from __future__ import annotations

import json
from typing import Any

from timewright.desired.environment import Variable, default_parameters, literal, run_variables, with_variables
from timewright.desired.lenient import labelled, mapping
from timewright.desired.overlay import overlaid
from timewright.desired.runner_image import RunnerImage
from timewright.resources.definition import DEFINITION, secret_variable
from timewright.resources.model import API_VERSION
from timewright.resources.scheduled_task import ScheduledTaskSpec

CONTAINER = "task"
"""Name of the container that runs the task, for `podTemplate` to refer to."""

_RUNNER = ["timewright", "schedule:run"]

RESTRICTED_POD = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
RESTRICTED_CONTAINER = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
"""The `restricted` Pod Security Standard (https://kubernetes.io/docs/concepts/security/pod-security-standards/)."""

PodTemplate = dict[str, Any]


def generated_pod_template(namespace: str, name: str, spec: ScheduledTaskSpec, runner: RunnerImage) -> PodTemplate:
    """Return the Pod template of a task without a `jobTemplate`.

    The Pod mounts no API token. In the runner's image it also meets the restricted Pod Security Standard; a user's
    image is run as it is, and `podTemplate` may tighten that.
    """
    variables = run_variables(name, default_parameters(spec.parameters))
    container: dict[str, Any] = {"name": CONTAINER, "terminationMessagePolicy": "FallbackToLogsOnError"}
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
    }
    if spec.image is not None:
        container["image"] = spec.image
    else:
        container["image"] = runner.image
        container["imagePullPolicy"] = runner.pull_policy
        container["securityContext"] = RESTRICTED_CONTAINER
        container["volumeMounts"] = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - a path in the Pod
        pod["securityContext"] = RESTRICTED_POD
        pod["volumes"] = [{"name": "tmp", "emptyDir": {}}]

    direct = _direct_command(spec)
    if direct is not None:
        container["command"] = direct
    else:
        container["command"] = _RUNNER
        variables.append({"name": DEFINITION, "value": literal(_definition(namespace, name, spec))})
        variables.extend(_secret_variables(spec))
    if spec.resources is not None:
        container["resources"] = spec.resources
    if spec.env_from is not None:
        container["envFrom"] = spec.env_from
    container["env"] = spec.env or []

    pod["containers"] = [with_variables(container, variables)]
    template: PodTemplate = {"metadata": {}, "spec": pod}
    if spec.pod_template is not None:
        template = overlaid(template, spec.pod_template)
    return labelled(template, name)


def instrumented_pod_template(name: str, spec: ScheduledTaskSpec, template: PodTemplate) -> PodTemplate:
    """Return a user's own Pod template, told which run it is.

    Labels and environment variables are added, and the tail of the log becomes the termination message of a container
    that fails. Nothing that the user wrote is changed.
    """
    variables = run_variables(name, default_parameters(spec.parameters))
    given = mapping(template.get("spec"))
    if given is None:
        return labelled(template, name)
    pod = dict(given)
    for field in ("initContainers", "containers"):
        if isinstance(pod.get(field), list):
            pod[field] = [_instrumented(container, variables) for container in pod[field]]
    return labelled({**template, "spec": pod}, name)


def _instrumented(container: Any, variables: list[Variable]) -> Any:
    if not isinstance(container, dict):
        return container
    return {"terminationMessagePolicy": "FallbackToLogsOnError", **with_variables(container, variables)}


def _direct_command(spec: ScheduledTaskSpec) -> list[str] | None:
    """Return the command that the image runs without our runner, if it does."""
    if spec.app is not None:
        return spec.app.run
    if spec.command is not None and spec.image is not None:
        return spec.command
    return None


def _definition(namespace: str, name: str, spec: ScheduledTaskSpec) -> str:
    """Write what the runner has to know as a ScheduledTask in JSON."""
    handed_in = {"schedule", "command", "http", "python", "timeout_seconds", "parameters", "retry"}
    manifest = {
        "apiVersion": API_VERSION,
        "kind": "ScheduledTask",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec.model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude_defaults=True, include=handed_in
        ),
    }
    return json.dumps(manifest, separators=(",", ":"), ensure_ascii=False)


def _secret_variables(spec: ScheduledTaskSpec) -> list[Variable]:
    """Return the variables that carry secrets into the runner, each once."""
    if spec.http is None:
        return []
    variables = {
        secret_variable(each.name, each.key): {"secretKeyRef": {"name": each.name, "key": each.key}}
        for _, each in spec.http.secrets()
    }
    return [{"name": name, "valueFrom": source} for name, source in variables.items()]
