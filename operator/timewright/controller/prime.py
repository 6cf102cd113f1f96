"""Lists what there is: at start, so that nothing is judged before everything is known; and now and then.

A watch that breaks may miss a deletion, so what a list no longer shows is dropped. Lists come in pages.
"""

from __future__ import annotations

from typing import Any

from timewright.controller.api import CRON_JOBS, JOBS, SCHEDULED_TASKS, TASK_RUNS, Api, Resource
from timewright.controller.store import Store, TaskKey
from timewright.desired import names

RELIST_SECONDS = 600.0
"""How often everything is listed again."""

Manifest = dict[str, Any]


async def relist(api: Api, store: Store, namespaces: tuple[str, ...]) -> set[TaskKey]:
    """Bring the store up to date with the cluster; return the keys of what was news.

    Jobs come before the TaskRuns that record them, so that a run is never known without its Job.
    """
    news: set[TaskKey] = set()
    for resource in (SCHEDULED_TASKS, CRON_JOBS, JOBS, TASK_RUNS):
        known = _known(store, resource)
        seen: set[str] = set()
        for namespace in namespaces or (None,):
            selector = names.TASK_LABEL if resource in (CRON_JOBS, JOBS) else ""
            async for page in api.list_all(resource, namespace, selector):
                for body in page:
                    seen.add(body["metadata"]["uid"])
                    key = _put(store, resource, body)
                    if key is not None:
                        news.add(key)
        for uid, (key, name) in known.items():
            if uid not in seen:
                _drop(store, resource, key, name, uid)
                news.add(key)
    return news


def _known(store: Store, resource: Resource) -> dict[str, tuple[TaskKey, str]]:
    if resource is SCHEDULED_TASKS:
        return {task.uid: (key, task.name) for key, task in store.tasks.items()}
    if resource is CRON_JOBS:
        return {each.uid: (key, each.name) for key, each in store.cron_jobs.all()}
    if resource is JOBS:
        return {each.uid: (key, each.name) for key, each in store.jobs.all() if not each.deleted}
    return {each.uid: (key, each.name) for key, each in store.runs.all()}


def _put(store: Store, resource: Resource, body: Manifest) -> TaskKey | None:
    if resource is SCHEDULED_TASKS:
        return store.put_task(body)
    if resource is CRON_JOBS:
        return store.put_cron_job(body)
    return store.put_job(body) if resource is JOBS else store.put_run(body)


def _drop(store: Store, resource: Resource, key: TaskKey, name: str, uid: str) -> None:
    if resource is SCHEDULED_TASKS:
        known = store.tasks.get(key)
        if known is not None and known.uid == uid:
            del store.tasks[key]
    elif resource is CRON_JOBS:
        store.cron_jobs.drop(key, name, uid)
    elif resource is JOBS:
        store.jobs.drop(key, name, uid)
    else:
        store.runs.drop(key, name, uid)
