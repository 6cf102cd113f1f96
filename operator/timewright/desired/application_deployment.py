"""ScheduledTask of an application that keeps running → Deployment."""

from __future__ import annotations

from typing import Any

from timewright.desired import names
from timewright.desired.lenient import mapping, name_of
from timewright.desired.pod_template import CONTAINER, generated_pod_template
from timewright.desired.runner_image import RunnerImage
from timewright.resources.definition import RUN_ID, SCHEDULED_AT
from timewright.resources.scheduled_task import ScheduledTaskSpec

Manifest = dict[str, Any]

COMPONENT = {"app.kubernetes.io/component": "application"}
"""Keeps its Pod apart from those of the task's Jobs, which carry the task's label too."""


def build_application_deployment(
    namespace: str, name: str, uid: str, spec: ScheduledTaskSpec, runner: RunnerImage
) -> Manifest:
    """Return the Deployment that keeps an application's `work` command running, for server-side apply.

    `spec` is that of an `app` with `work`. Of two Pods at once each would run all that is due, so an old one ends
    before a new one begins. A suspended task keeps its Deployment without a Pod.
    """
    labels = {**names.labels(name), **COMPONENT}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": names.application_name(name),
            "namespace": namespace,
            "labels": labels,
            "ownerReferences": [names.owned_by_task(name, uid)],
        },
        "spec": {
            "replicas": 0 if spec.suspend else 1,
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "Recreate"},
            "template": _template(namespace, name, spec, runner),
        },
    }


def _template(namespace: str, name: str, spec: ScheduledTaskSpec, runner: RunnerImage) -> Manifest:
    if spec.app is None or spec.app.work is None:
        raise ValueError("only an app with a work command is kept running")
    working = spec.app.model_copy(update={"run": spec.app.work})
    template = generated_pod_template(namespace, name, spec.model_copy(update={"app": working}), runner)
    metadata, pod = mapping(template.get("metadata")), mapping(template.get("spec"))
    labels = mapping(metadata.get("labels")) if metadata is not None else None
    if metadata is None or pod is None or labels is None:
        return template
    containers = [_without_run(each) for each in pod.get("containers") or []]
    return {
        **template,
        "metadata": {**metadata, "labels": {**labels, **COMPONENT}},
        # A Deployment takes no other policy, and a task may say one that its Jobs take.
        "spec": {**pod, "restartPolicy": "Always", "containers": containers},
    }


def _without_run(container: Any) -> Any:
    """Return the container without what is told of a run: it is none."""
    if name_of(container) != CONTAINER or not isinstance(container.get("env"), list):
        return container
    return {**container, "env": [each for each in container["env"] if name_of(each) not in (RUN_ID, SCHEDULED_AT)]}
