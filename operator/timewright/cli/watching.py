"""Follows objects and logs as they change, over connections that may break at any time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp

from timewright.cluster.api import Api, ApiError, Resource
from timewright.cluster.streaming import lines

Manifest = dict[str, Any]

_SERVER_SECONDS = 60
"""How long the server keeps a watch open. A connection that died unnoticed is thereby replaced in about that time."""

_MARGIN_SECONDS = 15
_SHORTEST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 15.0
_LOST = (aiohttp.ClientError, ConnectionError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Change:
    """An object as it is now; `deleted` tells that it is no more."""

    manifest: Manifest
    deleted: bool = False


async def changes(api: Api, resource: Resource, namespace: str, selector: dict[str, str]) -> AsyncIterator[Change]:
    """Yield every matching object as it is, and again whenever it changes, without an end.

    `selector` is the query that narrows the collection (labelSelector, fieldSelector). Survives an API server that goes
    away; raises ApiError if it refuses for good (not found, not allowed).
    """
    known: dict[str, Manifest] = {}
    pause = _SHORTEST_PAUSE_SECONDS
    while True:
        try:
            listed = await _get(api, resource.path(namespace), selector)
            for change in _differences(known, listed["items"]):
                _remember(known, change)
                yield change
            pause = _SHORTEST_PAUSE_SECONDS
            async for change in _watch(api, resource.path(namespace), selector, listed["metadata"]["resourceVersion"]):
                _remember(known, change)
                yield change
        except _LOST:
            pass
        except ApiError as error:
            if error.status not in (408, 410, 429) and error.status < 500:
                raise
        else:
            continue  # the server ended the watch as it was told to
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _differences(known: dict[str, Manifest], items: list[Manifest]) -> list[Change]:
    """Return what has changed between what is known, by UID, and a fresh list."""
    present = {each["metadata"]["uid"]: each for each in items}
    gone = [Change(known[uid], deleted=True) for uid in known.keys() - present.keys()]
    return gone + [Change(manifest) for uid, manifest in present.items() if known.get(uid) != manifest]


def _remember(known: dict[str, Manifest], change: Change) -> None:
    uid = change.manifest["metadata"]["uid"]
    if change.deleted:
        known.pop(uid, None)
    else:
        known[uid] = change.manifest


async def _watch(api: Api, path: str, selector: dict[str, str], version: str) -> AsyncIterator[Change]:
    query = {**selector, "watch": "true", "resourceVersion": version, "timeoutSeconds": str(_SERVER_SECONDS)}
    async for line in lines(api, path, query, silence=_SERVER_SECONDS + _MARGIN_SECONDS):
        event = json.loads(line)
        if event["type"] == "ERROR":
            status = event["object"]
            raise ApiError(int(status.get("code", 500)), str(status.get("reason")), str(status.get("message")))
        yield Change(event["object"], deleted=event["type"] == "DELETED")


async def _get(api: Api, path: str, query: dict[str, str]) -> Manifest:
    content = b"\n".join([line async for line in lines(api, path, query, silence=30)])
    parsed: Manifest = json.loads(content)
    return parsed
