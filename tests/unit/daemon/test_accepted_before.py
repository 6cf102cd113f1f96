"""What goes on where the newest spec of a task cannot: what was accepted last, whoever leads by then."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.daemon import tasks
from tests.unit.daemon.harness import LiveCluster, Replica, until
from tests.unit.notices.endpoint import Endpoint
from timewright.cluster.api import SCHEDULED_TASKS
from timewright.controller.daemons import concern_of
from timewright.resources.definition import secret_variable

NOTE = {"call": "tests.unit.daemon.tasks:note"}


def ticks() -> list[int]:
    return [tick for _, tick in tasks.started]


def conditions(cluster: LiveCluster) -> dict[str, tuple[str, str]]:
    told = cluster.status().get("conditions", [])
    return {each["type"]: (each["status"], each["reason"]) for each in told}


def edit(cluster: LiveCluster, **fields: Any) -> None:
    cluster.edit(SCHEDULED_TASKS, "task", lambda body: body["spec"].update(fields))


async def test_after_a_change_of_leader_a_refused_edit_still_leaves_the_accepted_one_running() -> None:
    cluster = LiveCluster()
    cluster.daemon_task(command=None, python=NOTE)
    async with Replica(cluster, "pod-1"):
        await until(ticks)
        edit(cluster, schedule="nonsense")
        await until(lambda: conditions(cluster).get("Accepted", ("",))[0] == "False")
    last = max(ticks())
    async with Replica(cluster, "pod-2"):
        await until(lambda: max(ticks()) >= last + 3)
        await until(lambda: sum(cluster.status()["counters"].values()) >= len(ticks()) - 2)
        assert cluster.status()["acceptedGeneration"] == 1
        assert conditions(cluster)["Ready"] == ("False", "NotAccepted")
        edit(cluster, schedule="*/2 * * * * *")
        await until(lambda: cluster.status()["acceptedGeneration"] == 3)
    assert len(ticks()) == len(set(ticks())), "no tick starts twice"
    assert conditions(cluster)["Ready"][0] == "True"


async def test_an_edit_that_is_refused_while_nobody_leads_changes_nothing_either() -> None:
    cluster = LiveCluster()
    cluster.daemon_task(command=None, python=NOTE)
    async with Replica(cluster, "pod-1"):
        await until(lambda: cluster.status().get("decided"))
        await until(ticks)
    edit(cluster, schedule="nonsense", python={"call": "elsewhere:else"})
    last = max(ticks())
    async with Replica(cluster, "pod-2"):
        await until(lambda: max(ticks()) >= last + 3)
        await until(lambda: conditions(cluster)["Accepted"][0] == "False")
    assert "generation 1 keeps running" in str(cluster.status()["conditions"])


async def test_a_task_of_which_nothing_was_ever_accepted_does_not_run() -> None:
    cluster = LiveCluster()
    cluster.daemon_task(command=None, python=NOTE, schedule="nonsense")
    async with Replica(cluster):
        await until(lambda: conditions(cluster).get("Accepted", ("",))[0] == "False")
    assert "spec" not in cluster.status()["decided"]
    assert not ticks()


async def test_a_request_whose_secret_is_not_in_the_process_waits_for_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = LiveCluster()
    header = {"name": "X-Key", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "token"}}}
    async with Endpoint() as endpoint:
        cluster.daemon_task(command=None, http={"url": endpoint.url, "method": "GET"})
        async with Replica(cluster, "pod-1"):
            await until(lambda: endpoint.asked)
            edit(cluster, http={"url": endpoint.url, "method": "GET", "headers": [header]})
            await until(lambda: conditions(cluster)["Ready"] == ("False", "SecretNotInPod"))
            assert conditions(cluster)["Accepted"] == ("True", "Valid")
            before = len(endpoint.asked)
            await until(lambda: len(endpoint.asked) > before + 1)
            assert cluster.status()["acceptedGeneration"] == 1
        assert not any("x-key" in each.headers for each in endpoint.asked)
        monkeypatch.setenv(secret_variable("shop", "token"), "open sesame")
        async with Replica(cluster, "pod-2"):
            await until(lambda: any(each.headers.get("x-key") == "open sesame" for each in endpoint.asked))
            await until(lambda: conditions(cluster)["Ready"][0] == "True")
        assert not cluster.status()["counters"]["failed"]


async def test_a_new_request_whose_secret_is_not_there_yet_does_not_run_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = LiveCluster()
    header = {"name": "X-Key", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "token"}}}
    async with Endpoint() as endpoint:
        http = {"url": endpoint.url, "method": "GET", "headers": [header]}
        cluster.daemon_task(command=None, http=http, missedRuns={"policy": "All"})
        async with Replica(cluster, "pod-1"):
            await until(lambda: conditions(cluster).get("Ready") == ("False", "SecretNotInPod"))
        assert not endpoint.asked
        assert not any(cluster.status()["counters"].values())
        monkeypatch.setenv(secret_variable("shop", "token"), "open sesame")
        async with Replica(cluster, "pod-2"):
            await until(lambda: len(endpoint.asked) >= 3)
        assert not cluster.status()["counters"]["failed"]


def test_the_secrets_of_what_goes_on_stay_in_the_daemons_pods() -> None:
    def headers(key: str) -> dict[str, Any]:
        reference = {"secretKeyRef": {"name": "shop", "key": key}}
        return {"url": "http://shop/", "headers": [{"name": "X-Key", "valueFrom": reference}]}

    old = '{"mode": "Daemon", "http": {"url": "http://shop/", "headers": [{"name": "X-Key", "valueFrom": '
    old += '{"secretKeyRef": {"name": "shop", "key": "old"}}}]}}'
    body = {
        "metadata": {"generation": 2},
        "spec": {"mode": "Daemon", "http": headers("new")},
        "status": {"acceptedGeneration": 1, "decided": {"spec": old}},
    }
    assert concern_of(body).secrets == {("shop", "new"), ("shop", "old")}
    body["status"] = {"acceptedGeneration": 2, "decided": {"spec": old}}
    assert concern_of(body).secrets == {("shop", "new")}
