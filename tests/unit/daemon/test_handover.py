"""Tasks that come to a daemon from a CronJob, and go back."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.daemon import tasks
from tests.unit.daemon.harness import LiveCluster, Replica, until
from timewright.cluster.api import SCHEDULED_TASKS, TASK_RUNS
from timewright.daemon.documents import at
from timewright.daemon.writer import Writer
from timewright.daemon.writes import Urgency
from timewright.resources.model import parse_time
from timewright.resources.vocabulary import Outcome


def python(cluster: LiveCluster, name: str = "task", function: str = "note", **more: Any) -> None:
    cluster.daemon_task(name, command=None, python={"call": f"tests.unit.daemon.tasks:{function}"}, **more)


def once() -> str:
    """Return a schedule that is due in two seconds, and not again in a year."""
    return f"{datetime.fromtimestamp(time.time() + 2, UTC):%S %M %H %d %m} *"


def to_cron_job(body: dict[str, Any]) -> None:
    body["spec"].update(mode="CronJob")


def come_back(body: dict[str, Any]) -> None:
    """Return to the daemon, without another tick."""
    body["spec"].update(mode="Daemon", schedule="0 0 29 2 *")
    body["status"].update(scheduledBy="Daemon", daemon="default")


def ticks() -> list[int]:
    return [tick for _, tick in tasks.started]


async def test_a_task_goes_on_from_where_its_cron_job_was() -> None:
    cluster = LiveCluster()
    python(cluster)
    begun = int(time.time()) - 3
    status = {
        "scheduledBy": "Daemon",
        "daemon": "default",
        "watermark": at(begun),
        "counters": {"succeeded": 7},
        "countedRuns": ["task-1"],
    }
    cluster.edit(SCHEDULED_TASKS, "task", lambda body: body.update(status=status))
    cluster.put(
        TASK_RUNS, {"metadata": {"name": "task-2"}, "spec": {"taskRef": {"name": "task"}, "trigger": "Schedule"}}
    )
    async with Replica(cluster) as replica:
        await until(lambda: replica.leads and len(ticks()) >= 3)
        cluster.edit(TASK_RUNS, "task-2", lambda body: body.update(status={"phase": "Finished", "outcome": "Failed"}))
        await until(lambda: cluster.status()["counters"].get("failed") == 1)
        counters = cluster.status()["counters"]
    assert max(Counter(ticks()).values()) == 1
    assert min(ticks()) > begun
    assert counters["succeeded"] >= 7 + 2
    told = cluster.status()["countedRuns"]
    assert told == ["task-1", "task-2"], "its Job may still be there, so that the operator would record it anew"


async def test_a_task_that_is_nobodys_of_this_daemon_is_left_alone() -> None:
    cluster = LiveCluster()
    python(cluster, "other", daemon="other")
    cluster.task("native", schedule="* * * * *")
    cluster.daemon_task("taken", command=["true"])
    cluster.edit(SCHEDULED_TASKS, "taken", lambda body: body.update(status={"scheduledBy": "CronJob"}))
    python(cluster)
    async with Replica(cluster) as replica:
        await until(ticks)
        leader = replica.process.leader
        assert leader is not None
        assert [task.name for task in leader.tasks.values()] == ["task"]
    assert "decided" not in cluster.status("taken")


async def test_a_task_whose_mode_changes_is_given_back_with_its_watermark() -> None:
    cluster = LiveCluster()
    python(cluster)
    python(cluster, "other")
    async with Replica(cluster):
        await until(lambda: len(ticks()) >= 4)
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        await until(lambda: cluster.status().get("scheduledBy") == "CronJob")
        status = cluster.status()
        watermark = parse_time(status["watermark"]).timestamp()
        before = len(tasks.started)
        await until(lambda: len(tasks.started) > before + 2)
    started = [tick for task, tick in tasks.started if task == "task"]
    assert max(started) <= watermark
    assert watermark - max(started) < 1, "what was claimed was started, and nothing is left out"
    assert "decided" not in status
    assert "daemon" not in status


async def test_a_fault_while_a_task_is_given_back_is_made_up_for_and_passes_over_no_tick(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write, faults = Writer.write, iter([RuntimeError("a fault"), RuntimeError("another")])

    async def failing_at_first(writer: Writer, key: str, *, handed_back_at: int | None = None) -> int:
        fault = None if handed_back_at is None else next(faults, None)
        if fault is not None:
            raise fault
        return await write(writer, key, handed_back_at=handed_back_at)

    monkeypatch.setattr(Writer, "write", failing_at_first)
    cluster = LiveCluster()
    python(cluster)
    async with Replica(cluster):
        await until(lambda: len(ticks()) >= 3)
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        await until(lambda: cluster.status().get("scheduledBy") == "CronJob")
    assert next(faults, None) is None
    watermark = parse_time(cluster.status()["watermark"]).timestamp()
    assert 0 <= watermark - max(ticks()) < 1, "no tick that came meanwhile counts as decided"


async def test_runs_that_are_active_when_their_task_is_given_back_end_with_a_record() -> None:
    cluster = LiveCluster()
    python(cluster, function="long", schedule=once())
    async with Replica(cluster):
        await until(ticks)
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        await until(lambda: cluster.status().get("scheduledBy") == "CronJob")
        running = [name for name, run in cluster.runs().items() if run["status"].get("phase") == "Running"]
        assert running
        await until(lambda: cluster.runs()[running[0]]["status"].get("outcome") == "Succeeded")
    assert running[0] not in cluster.status()["countedRuns"], "it is left to be counted by who decides now"


@pytest.mark.parametrize("is_back_before_its_end", [True, False])
async def test_a_run_that_goes_on_while_its_task_leaves_and_comes_back_is_recorded_and_counted(
    is_back_before_its_end: bool,
) -> None:
    cluster = LiveCluster()
    python(cluster, function="wait_for_release", schedule=once())
    async with Replica(cluster):
        await until(ticks)
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        await until(lambda: cluster.status().get("scheduledBy") == "CronJob")
        (name,) = [name for name, run in cluster.runs().items() if run["status"].get("phase") == "Running"]
        if not is_back_before_its_end:
            tasks.is_released.set()
            await until(lambda: cluster.runs()[name]["status"].get("outcome") == "Succeeded")
            assert name not in cluster.status()["countedRuns"]
        cluster.edit(SCHEDULED_TASKS, "task", come_back)
        await until(lambda: "decided" in cluster.status())
        tasks.is_released.set()
        await until(lambda: cluster.runs()[name]["status"].get("outcome") == "Succeeded")
        await until(lambda: cluster.status()["counters"].get("succeeded"))
    assert cluster.status()["counters"]["succeeded"] == 1


async def test_a_run_that_ends_while_its_task_is_given_back_is_recorded_and_left_to_be_counted() -> None:
    cluster = LiveCluster()
    python(cluster, function="wait_for_release", schedule=once())
    async with Replica(cluster) as replica:
        await until(ticks)
        leader = replica.process.leader
        assert leader is not None

        async def let_it_end() -> None:
            if leader.writer.left_open:
                tasks.is_released.set()
                await until(lambda: leader.executor is not None and not leader.executor.active)

        leader.writer.before_status = let_it_end
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        await until(lambda: cluster.status().get("scheduledBy") == "CronJob")
        await until(lambda: any(run["status"].get("outcome") == "Succeeded" for run in cluster.runs().values()))
    (name,) = [name for name, run in cluster.runs().items() if run["status"].get("outcome") == "Succeeded"]
    assert name not in cluster.status()["countedRuns"]
    assert not cluster.status()["counters"].get("succeeded")


def outcomes(cluster: LiveCluster) -> Counter[str]:
    return Counter(run["status"].get("outcome", "") for run in cluster.runs().values())


async def test_a_task_that_forbids_overlap_is_given_back_once_no_run_is_active_and_skips_ticks_until_then() -> None:
    cluster = LiveCluster()
    python(cluster, function="wait_for_release", concurrencyPolicy="Forbid", failedRunsHistoryLimit=20)
    async with Replica(cluster):
        await until(ticks)
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        await until(lambda: outcomes(cluster)["Skipped"] >= 3)
        assert cluster.status()["scheduledBy"] == "Daemon"
        (ready,) = [each for each in cluster.status()["conditions"] if each["type"] == "Ready"]
        assert (ready["status"], ready["reason"]) == ("False", "HandingOver")
        assert "keeps running" in ready["message"]
        tasks.is_released.set()
        await until(lambda: cluster.status().get("scheduledBy") == "CronJob")
    assert "" not in outcomes(cluster), "nothing goes on"
    counters = cluster.status()["counters"]
    watermark = int(parse_time(cluster.status()["watermark"]).timestamp())
    assert sum(counters.values()) == watermark - min(ticks()) + 1, "every tick up to then was decided"
    assert counters["succeeded"] == len(ticks())


async def test_a_task_that_queues_runs_is_given_back_once_no_run_is_active_and_decides_nothing_until_then() -> None:
    cluster = LiveCluster()
    python(cluster, function="wait_for_release", concurrencyPolicy="Queue")
    async with Replica(cluster):
        await until(ticks)
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        await asyncio.sleep(3)
        assert cluster.status()["scheduledBy"] == "Daemon"
        tasks.is_released.set()
        await until(lambda: cluster.status().get("scheduledBy") == "CronJob")
    assert len(ticks()) == 1
    assert "" not in outcomes(cluster), "nothing goes on"


@pytest.mark.parametrize("policy", ["Forbid", "Queue"])
async def test_a_task_that_comes_back_while_its_run_is_waited_for_goes_on(policy: str) -> None:
    cluster = LiveCluster()
    python(cluster, function="wait_for_release", concurrencyPolicy=policy)
    async with Replica(cluster):
        await until(ticks)
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        await asyncio.sleep(2)
        cluster.edit(SCHEDULED_TASKS, "task", lambda body: body["spec"].update(mode="Daemon"))
        await asyncio.sleep(1)
        tasks.is_released.set()
        await until(lambda: len(ticks()) >= 4)
    assert cluster.status()["scheduledBy"] == "Daemon"
    assert max(Counter(ticks()).values()) == 1


async def test_a_task_that_is_deleted_while_its_run_is_waited_for_has_that_ended() -> None:
    cluster = LiveCluster()
    python(cluster, function="wait_for_release", concurrencyPolicy="Forbid")
    async with Replica(cluster) as replica:
        await until(ticks)
        leader = replica.process.leader
        assert leader is not None
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        await asyncio.sleep(1)
        cluster.remove(SCHEDULED_TASKS, "task")
        await until(lambda: leader.executor is not None and not leader.executor.active)
        assert not leader.tasks


async def test_a_task_that_is_given_back_as_soon_as_it_was_taken_is_so_although_its_status_changes_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = LiveCluster()
    python(cluster, schedule="0 0 29 2 *")
    counters = {outcome.value.lower(): 0 for outcome in Outcome}
    handed = {"scheduledBy": "Daemon", "daemon": "default", "watermark": at(time.time()), "counters": counters}
    cluster.edit(SCHEDULED_TASKS, "task", lambda body: body.update(status=handed))
    cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
    write, changes = Writer._write_status, iter(["somebody changed something"])

    async def as_somebody_writes(writer: Writer, *given: Any) -> int:
        change = next(changes, None)
        if change is not None:
            cluster.edit(SCHEDULED_TASKS, "task", lambda body: body["status"].update(warnings=[change]))
        return await write(writer, *given)

    monkeypatch.setattr(Writer, "_write_status", as_somebody_writes)
    async with Replica(cluster):
        await until(lambda: cluster.status()["scheduledBy"] == "CronJob", 8)
    assert next(changes, None) is None


def deciders(cluster: LiveCluster) -> list[str]:
    """Return a list to which each change of the status adds who decides from then on."""
    told: list[str] = []
    tell = cluster._tell

    def follow(kind: str, plural: str, body: dict[str, Any]) -> None:
        decider = (body.get("status") or {}).get("scheduledBy")
        if plural == SCHEDULED_TASKS.plural and decider is not None and told[-1:] != [decider]:
            told.append(decider)
        tell(kind, plural, body)

    cluster._tell = follow  # type: ignore[method-assign]
    return told


async def test_nothing_is_written_of_a_task_once_it_is_given_back() -> None:
    cluster = LiveCluster()
    told, waited = deciders(cluster), list[str]()
    python(cluster, function="wait_for_release", concurrencyPolicy="Queue")
    async with Replica(cluster) as replica:
        await until(lambda: ticks() and cluster.status().get("scheduledBy") == "Daemon")
        leader = replica.process.leader
        assert leader is not None

        async def have_another_write_wait() -> None:
            uid = next(iter(leader.writer.left_open), None)
            if uid is not None and not waited:
                waited.append(uid)
                leader.writer.waiting.add(uid, Urgency.NOW)
                await asyncio.sleep(0.6)

        leader.writer.before_status = have_another_write_wait
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        tasks.is_released.set()
        await until(lambda: told[-1] == "CronJob")
        await asyncio.sleep(1)
    assert waited
    assert told == ["Daemon", "CronJob"]


@pytest.mark.parametrize("lost", ["the answer", "what comes after it"])
async def test_what_the_operator_has_written_of_a_task_that_was_given_back_stays(
    lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = LiveCluster()
    told, faults = deciders(cluster), list[str]()
    python(cluster)
    async with Replica(cluster) as replica:
        await until(lambda: len(ticks()) >= 2 and cluster.status().get("scheduledBy") == "Daemon")
        leader = replica.process.leader
        assert leader is not None
        write, remove = replica.api.merge_patch_status, Writer._remove_runs

        def take_over() -> None:
            mine = {"scheduledBy": "CronJob", "counters": {"succeeded": 77}}
            cluster.edit(SCHEDULED_TASKS, "task", lambda body: body.update(status=mine))

        async def written_without_an_answer(*given: Any) -> Any:
            answer = await write(*given)
            if told[-1] == "CronJob" and lost == "the answer" and not faults:
                faults.append(lost)
                take_over()
                raise ConnectionError("reset")
            return answer

        async def fail(writer: Writer, *given: Any) -> int:
            if told[-1] == "CronJob" and lost == "what comes after it" and not faults:
                faults.append(lost)
                take_over()
                raise ConnectionError("reset")
            return await remove(writer, *given)

        monkeypatch.setattr(replica.api, "merge_patch_status", written_without_an_answer)
        monkeypatch.setattr(Writer, "_remove_runs", fail)
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        await until(lambda: not leader.tasks)
        await asyncio.sleep(0.5)
    assert told == ["Daemon", "CronJob"]
    assert not faults or cluster.status()["counters"] == {"succeeded": 77}


async def test_an_end_that_cannot_be_told_at_once_of_a_task_that_was_given_back_is_told_later() -> None:
    cluster = LiveCluster()
    python(cluster, function="wait_for_release", schedule=once())
    async with Replica(cluster) as replica:
        await until(ticks)
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        await until(lambda: cluster.status().get("scheduledBy") == "CronJob")
        replica.api.away = True
        tasks.is_released.set()
        await asyncio.sleep(3)  # a leader of four seconds outlives that
        assert outcomes(cluster) == {"": 1}
        replica.api.away = False
        await until(lambda: outcomes(cluster) == {"Succeeded": 1})


async def test_a_task_that_is_handed_over_anew_while_the_answer_to_its_last_status_is_missing_stays() -> None:
    cluster = LiveCluster()
    told, faults = deciders(cluster), list[str]()
    python(cluster)
    async with Replica(cluster) as replica:
        await until(lambda: len(ticks()) >= 2 and cluster.status().get("scheduledBy") == "Daemon")
        write = replica.api.merge_patch_status

        async def written_without_an_answer(*given: Any) -> Any:
            answer = await write(*given)
            if told[-1] == "CronJob" and not faults:
                faults.append("no answer")
                cluster.edit(SCHEDULED_TASKS, "task", lambda body: body["spec"].update(mode="Daemon"))
                anew = {"scheduledBy": "Daemon", "daemon": "default", "watermark": at(time.time() + 1)}
                anew["counters"] = {"succeeded": 77}
                cluster.edit(SCHEDULED_TASKS, "task", lambda body: body.update(status=anew))
                raise ConnectionError("reset")
            return answer

        replica.api.merge_patch_status = written_without_an_answer  # type: ignore[method-assign]
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        await until(lambda: cluster.status()["counters"].get("succeeded", 0) > 78)
    assert told == ["Daemon", "CronJob", "Daemon"]
    assert len(ticks()) == len(set(ticks()))
