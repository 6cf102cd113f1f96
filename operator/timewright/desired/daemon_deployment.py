"""TaskDaemon → Deployment."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from timewright.desired import names
from timewright.desired.daemon_object import DaemonIdentity, Manifest
from timewright.desired.environment import with_variables
from timewright.desired.lenient import mapping
from timewright.desired.overlay import overlaid
from timewright.desired.pod_template import RESTRICTED_CONTAINER, RESTRICTED_POD
from timewright.desired.runner_image import RunnerImage
from timewright.resources import daemon_settings
from timewright.resources.definition import secret_variable
from timewright.resources.kinds import SecretKeyReference
from timewright.resources.task_daemon import TaskDaemonSpec

CONTAINER = "daemon"
"""Name of the container, for `podTemplate` to refer to."""

_COMMAND = ["timewright", "daemon"]
_RESOURCES = {"requests": {"cpu": "50m", "memory": "128Mi"}}


def build_daemon_deployment(
    daemon: DaemonIdentity,
    spec: TaskDaemonSpec,
    secrets: Iterable[SecretKeyReference],
    *,
    own: RunnerImage,
    runner: RunnerImage,
) -> Manifest:
    """Return the Deployment that runs the daemon, as a manifest for server-side apply.

    A new Pod is ready before an old one goes, so that somebody stands by at every moment of an update.

    Args:
        daemon: which TaskDaemon it is.
        spec: what it says.
        secrets: the keys that its tasks take headers from. They reach the process as environment variables, so neither
            the daemon nor the operator needs to be able to read Secrets.
        own: the daemon's image, where the TaskDaemon names none.
        runner: the image of Jobs, for tasks that name none.

    """
    labels = names.daemon_labels(daemon.name)
    container = _container(spec, own, [*_settings(daemon, spec, runner), *_secret_variables(secrets)])
    return daemon.manifest(
        "apps/v1",
        "Deployment",
        {
            "spec": {
                "replicas": spec.replicas,
                "revisionHistoryLimit": 3,
                "selector": {"matchLabels": labels},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
                "template": _template(daemon, spec, container, labels),
            }
        },
    )


def _template(daemon: DaemonIdentity, spec: TaskDaemonSpec, container: Manifest, labels: dict[str, str]) -> Manifest:
    pod: dict[str, Any] = {
        "serviceAccountName": spec.service_account_name or daemon.object_name,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": spec.termination_grace_period_seconds,
        "securityContext": RESTRICTED_POD,
        "affinity": _apart(labels),
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    annotations = {"kubectl.kubernetes.io/default-container": CONTAINER}
    template: Manifest = {"metadata": {"annotations": annotations}, "spec": pod}
    if spec.pod_template is not None:
        template = overlaid(template, spec.pod_template)
    metadata = mapping(template.get("metadata"))
    own = mapping(metadata.get("labels")) if metadata is not None else None
    if metadata is None or own is None:
        return template
    return {**template, "metadata": {**metadata, "labels": {**own, **labels}}}


def _container(spec: TaskDaemonSpec, own: RunnerImage, variables: Iterable[Manifest]) -> Manifest:
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": spec.image or own.image,
        "command": _COMMAND,
        "env": spec.env or [],
        "ports": [
            {"name": "probes", "containerPort": daemon_settings.PROBES_PORT},
            {"name": "metrics", "containerPort": daemon_settings.METRICS_PORT},
        ],
        "livenessProbe": _probe("/healthz", periodSeconds=10, failureThreshold=6, initialDelaySeconds=5),
        "readinessProbe": _probe("/readyz", periodSeconds=2, failureThreshold=3),
        "resources": spec.resources or _RESOURCES,
        "securityContext": RESTRICTED_CONTAINER,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - a path in the Pod
    }
    pull_policy = spec.image_pull_policy or (own.pull_policy if spec.image is None else None)
    if pull_policy is not None:
        container["imagePullPolicy"] = pull_policy
    if spec.env_from is not None:
        container["envFrom"] = spec.env_from
    return with_variables(container, variables)


def _settings(daemon: DaemonIdentity, spec: TaskDaemonSpec, runner: RunnerImage) -> list[Manifest]:
    values = {
        daemon_settings.DAEMON: daemon.name,
        daemon_settings.LEASE_DURATION_SECONDS: spec.lease_duration_seconds,
        daemon_settings.TERMINATION_GRACE_PERIOD_SECONDS: spec.termination_grace_period_seconds,
        daemon_settings.MAX_CONCURRENT_RUNS: spec.max_concurrent_runs,
        daemon_settings.MAX_CONCURRENT_JOBS: spec.max_concurrent_jobs,
        daemon_settings.API_WRITES_PER_MINUTE: spec.api_writes_per_minute,
        daemon_settings.LOCKS: _slots(spec),
        daemon_settings.RUNNER_IMAGE: runner.image,
        daemon_settings.RUNNER_IMAGE_PULL_POLICY: runner.pull_policy,
    }
    variables: list[Manifest] = [
        {"name": daemon_settings.NAMESPACE, "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": daemon_settings.POD_NAME, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        *({"name": name, "value": str(value)} for name, value in values.items() if value is not None),
    ]
    if spec.storage is not None and spec.storage.postgresql is not None:
        key = spec.storage.postgresql.secret_key_ref
        reference = {**key.to_manifest(), "optional": True}  # a Pod that does not start would run no task
        variables.append({"name": daemon_settings.STORE, "valueFrom": {"secretKeyRef": reference}})
        variables.append({"name": daemon_settings.STORE_SOURCE, "value": f"{key.name}/{key.key}"})
        max_age = spec.storage.postgresql.max_age_seconds
        if max_age is not None:
            variables.append({"name": daemon_settings.HISTORY_MAX_AGE_SECONDS, "value": str(max_age)})
    return variables


def _slots(spec: TaskDaemonSpec) -> str | None:
    """Return the slots of locks, in an order of their own."""
    slots = {lock.name: lock.slots for lock in sorted(spec.locks, key=lambda lock: lock.name)}
    return json.dumps(slots, separators=(",", ":")) if slots else None


def _secret_variables(secrets: Iterable[SecretKeyReference]) -> list[Manifest]:
    """Return the variables of the tasks' secrets, in an order of their own so that they change only with the set.

    They are optional: a Secret that one task misses must not keep the tasks of others from running.
    """
    return [
        {
            "name": secret_variable(name, key),
            "valueFrom": {"secretKeyRef": {"name": name, "key": key, "optional": True}},
        }
        for name, key in sorted({(each.name, each.key) for each in secrets})
    ]


def _probe(path: str, **timing: int) -> Manifest:
    return {"httpGet": {"path": path, "port": "probes"}, "timeoutSeconds": 5, **timing}


def _apart(labels: dict[str, str]) -> Manifest:
    """Prefer a node of its own for each replica."""
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": labels}}
    preferred = [{"weight": 100, "podAffinityTerm": term}]
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
