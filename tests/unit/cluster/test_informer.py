"""Lists and watches: what is heard, and what becomes of watches that break."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

from timewright.cluster import informer as informer_module
from timewright.cluster.api import JOBS, Api, ApiError
from timewright.cluster.informer import Informer

Manifest = dict[str, Any]


def job(name: str, uid: str | None = None, version: int = 1) -> Manifest:
    return {"metadata": {"name": name, "uid": uid or name, "resourceVersion": str(version)}}


class Server:
    """What lists and watches answer: a watch gives the events at hand, then what `end` says."""

    def __init__(self, *items: Manifest) -> None:
        self.items = list(items)
        self.version = 10
        self.lists = 0
        self.watched_from: list[str] = []
        self.events: list[tuple[str, Manifest]] = []
        self.end: Callable[[], None] = lambda: None

    async def list_pages(self, *_: object) -> AsyncIterator[Manifest]:
        self.lists += 1
        for item in self.items:
            yield {"metadata": {"resourceVersion": str(self.version)}, "items": [item]}
        yield {"metadata": {"resourceVersion": str(self.version)}, "items": []}

    async def watch(self, *_: object, version: str, **__: object) -> AsyncIterator[tuple[str, Manifest]]:
        self.watched_from.append(version)
        events, self.events = self.events, []
        for event in events:
            yield event
        await asyncio.sleep(0.01)
        self.end()


async def heard(server: Server, until: Callable[[], bool]) -> tuple[list[str], list[tuple[str, str]]]:
    put: list[str] = []
    dropped: list[tuple[str, str]] = []
    informer = Informer(
        cast("Api", server),
        JOBS,
        "shop",
        lambda body: put.append(body["metadata"]["name"]),
        lambda name, uid: dropped.append((name, uid)),
        watching=server.watch,
    )
    life = asyncio.ensure_future(informer.run())
    for _ in range(500):
        if until():
            break
        await asyncio.sleep(0.01)
    assert informer.synced.is_set()
    life.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await life
    return put, dropped


async def test_what_is_there_and_what_changes_is_handed_on() -> None:
    server = Server(job("a"), job("b"))
    server.events = [("ADDED", job("c", version=11)), ("DELETED", job("a", version=12))]
    put, dropped = await heard(server, lambda: len(server.watched_from) > 1)
    assert put == ["a", "b", "c"]
    assert dropped == [("a", "a")]
    assert server.watched_from[:2] == ["10", "12"], "a watch that ends goes on from where it was"
    assert server.lists == 1


async def test_bookmarks_move_on_and_are_not_handed_on() -> None:
    server = Server()
    server.events = [("BOOKMARK", {"metadata": {"resourceVersion": "99"}})]
    put, _ = await heard(server, lambda: len(server.watched_from) > 1)
    assert put == []
    assert server.watched_from[1] == "99"


async def test_when_the_version_is_too_old_everything_is_listed_again_and_what_is_gone_is_told() -> None:
    server = Server(job("a"), job("b"))

    def gone() -> None:
        server.items, server.end = [job("b"), job("a", uid="new")], lambda: None
        raise ApiError(410, "Expired", "too old")

    server.end = gone
    put, dropped = await heard(server, lambda: server.lists > 1 and len(server.watched_from) > 1)
    assert put == ["a", "b", "b", "a"]
    assert dropped == [("a", "a")]


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionError("gone"), ApiError(500, "", "")])
async def test_a_watch_that_breaks_is_replaced(error: Exception) -> None:
    server = Server(job("a"))

    def fail() -> None:
        server.end = lambda: None
        raise error

    server.end = fail
    await heard(server, lambda: server.lists > 1)
    assert server.lists > 1


async def test_everything_is_listed_again_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(informer_module, "RELIST_SECONDS", 0.05)
    server = Server(job("a"))
    await heard(server, lambda: server.lists > 1)
    assert server.lists > 1
