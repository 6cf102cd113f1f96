"""What kopf calls: watch events become news for the store, and keys for the queue. Nothing else happens here."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import kopf

from timewright.controller.prime import SELECTORS, Key
from timewright.controller.stateless import NoDiffBase, NoProgress
from timewright.controller.store import Store
from timewright.controller.work_queue import WorkQueue

Manifest = dict[str, Any]

WORKER_IDLE_SECONDS = 0.2
"""How long kopf keeps an object's worker, and the object, in memory after an event; each event gets one again."""


def settle(settings: kopf.OperatorSettings) -> None:
    """Set kopf up as a source of events and no more: no annotations, no finalizers, no events of its own."""
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.queueing.idle_timeout = WORKER_IDLE_SECONDS
    settings.queueing.exit_timeout = WORKER_IDLE_SECONDS
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    settings.watching.chunk_size = 500
    for resource, selector in SELECTORS.items():
        settings.watching.label_selectors[resource.group, resource.plural] = selector


def register(
    registry: kopf.OperatorRegistry,
    store: Store,
    queue: WorkQueue[Key],
    alive: Callable[[], dict[str, Any]],
) -> None:
    """Register the handlers."""

    def watch(group: str, plural: str, put: Callable[[Manifest], Key | None], drop: Callable[..., Any]) -> None:
        @kopf.on.event(group, plural, registry=registry, id=f"{plural}")
        async def on_event(event: kopf.RawEvent, **_: Any) -> None:
            body = cast("Manifest", event["object"])
            key = drop(body) if event["type"] == "DELETED" else put(body)
            if key is not None:
                queue.add(key)
            for daemon in store.daemons.take_news():
                queue.add(daemon)

    watch("timewright.dev", "scheduledtasks", store.put_task, store.drop_task)
    watch("timewright.dev", "taskruns", store.put_run, store.drop_run)
    watch("timewright.dev", "taskdaemons", store.put_daemon, store.drop_daemon)
    watch("apps", "deployments", store.put_deployment, store.drop_deployment)
    watch("batch", "cronjobs", store.put_cron_job, store.drop_cron_job)
    watch("batch", "jobs", store.put_job, store.drop_job)

    @kopf.on.startup(registry=registry)
    async def on_startup(settings: kopf.OperatorSettings, **_: Any) -> None:
        settle(settings)

    @kopf.on.probe(registry=registry, id="operator")
    async def on_probe(**_: Any) -> dict[str, Any]:
        return alive()

    @kopf.on.login(registry=registry)
    def on_login(**arguments: Any) -> kopf.ConnectionInfo | None:
        return login_as_service_account(os.environ) or kopf.login_with_kubeconfig(**arguments)


SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def login_as_service_account(
    environment: Mapping[str, str], folder: Path = SERVICE_ACCOUNT
) -> kopf.ConnectionInfo | None:
    """Return how to reach the API server from within a Pod, or None outside one or where KUBECONFIG is set.

    By the address in the environment, as `rest.InClusterConfig` of client-go does; kopf's own way needs a cluster DNS.
    """
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT", "443")
    token = folder / "token"
    if not host or environment.get("KUBECONFIG") or not token.exists():
        return None
    return kopf.ConnectionInfo(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        ca_path=str(folder / "ca.crt"),
        scheme="Bearer",
        token=token.read_text().strip(),
        default_namespace=(folder / "namespace").read_text().strip(),
    )
