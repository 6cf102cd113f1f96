"""Lists what there is: at start, so that nothing is judged before everything is known; and now and then.

A watch that breaks may miss a deletion, so what a list no longer shows is dropped. Lists come in pages.
"""

from __future__ import annotations

from typing import Any

from timewright.cluster.api import CRON_JOBS, DEPLOYMENTS, JOBS, SCHEDULED_TASKS, TASK_DAEMONS, TASK_RUNS, Api, Resource
from timewright.controller.daemons import DaemonKey
from timewright.controller.store import Store, TaskKey
from timewright.desired import names

RELIST_SECONDS = 600.0
"""How often everything is listed again."""

Manifest = dict[str, Any]


SELECTORS = {CRON_JOBS: names.TASK_LABEL, JOBS: names.TASK_LABEL, DEPLOYMENTS: f"{names.MANAGED_BY_LABEL}=timewright"}
"""The labels that narrow what is listed and watched, of kinds that others use too."""

Key = TaskKey | DaemonKey


async def relist(api: Api, store: Store, namespaces: tuple[str, ...]) -> set[Key]:
    """Bring the store up to date with the cluster; return the keys of what was news.

    Jobs come before the TaskRuns that record them, so that a run is never known without its Job.
    """
    news: set[Key] = set()
    for resource in (SCHEDULED_TASKS, CRON_JOBS, JOBS, TASK_RUNS, TASK_DAEMONS, DEPLOYMENTS):
        known = _known(store, resource)
        seen: set[str] = set()
        for namespace in namespaces or (None,):
            async for page in api.list_all(resource, namespace, SELECTORS.get(resource, "")):
                for body in page:
                    seen.add(body["metadata"]["uid"])
                    key = _put(store, resource, body)
                    if key is not None:
                        news.add(key)
        for uid, (key, name) in known.items():
            if uid not in seen:
                _drop(store, resource, key, name, uid)
                news.add(key)
    return news | store.daemons.take_news()


def _known(store: Store, resource: Resource) -> dict[str, tuple[Any, str]]:
    if resource is SCHEDULED_TASKS:
        return {task.uid: (key, task.name) for key, task in store.tasks.items()}
    if resource is TASK_DAEMONS:
        return {daemon.uid: (key, daemon.name) for key, daemon in store.daemons.records.items()}
    if resource is CRON_JOBS:
        return {each.uid: (key, each.name) for key, each in store.cron_jobs.all()}
    if resource is JOBS:
        return {each.uid: (key, each.name) for key, each in store.jobs.all() if not each.deleted}
    if resource is DEPLOYMENTS:
        return {each.record.uid: (each.key, each.record.name) for each in store.deployments.values()}
    return {each.uid: (key, each.name) for key, each in store.runs.all()}


def _put(store: Store, resource: Resource, body: Manifest) -> Key | None:
    put = {
        SCHEDULED_TASKS: store.put_task,
        TASK_DAEMONS: store.put_daemon,
        CRON_JOBS: store.put_cron_job,
        JOBS: store.put_job,
        DEPLOYMENTS: store.put_deployment,
        TASK_RUNS: store.put_run,
    }
    return put[resource](body)


def _drop(store: Store, resource: Resource, key: Any, name: str, uid: str) -> None:
    if resource is SCHEDULED_TASKS:
        store.forget_task(key, uid)
    elif resource is TASK_DAEMONS:
        store.daemons.drop(key, uid)
    elif resource is CRON_JOBS:
        store.cron_jobs.drop(key, name, uid)
    elif resource is JOBS:
        store.jobs.drop(key, name, uid)
    elif resource is DEPLOYMENTS:
        store.forget_deployment(key.namespace, name, uid)
    else:
        store.runs.drop(key, name, uid)
