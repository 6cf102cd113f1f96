"""What a door calls, wherever the tasks were declared and whatever remembers their runs."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from timewright import Schedule
from timewright.engine.by_hand import InvalidParametersError, Request
from timewright.schedule.errors import LoadError
from timewright.storage.protocol import HistoryQuery, StoreError
from timewright.storage.sqlite import SqliteStore
from timewright.triggers.served_tasks import NoSuchTaskError, ServedTasks, UntimelyError

MANIFESTS = """\
apiVersion: timewright.dev/v1alpha1
kind: ScheduledTask
metadata: {name: greet, namespace: shop}
spec:
  schedule: "* * * * *"
  parameters: [{name: whom, default: world}]
  command: [echo, "hello $(TIMEWRIGHT_PARAMETER_WHOM)"]
---
apiVersion: timewright.dev/v1alpha1
kind: ScheduledTask
metadata: {name: greet, namespace: billing}
spec:
  schedule: "0 3 1 1 *"
  command: [echo, billing]
---
apiVersion: timewright.dev/v1alpha1
kind: ScheduledTask
metadata: {name: clean}
spec:
  schedule: "0 3 1 1 *"
  command: [echo, clean]
"""


@pytest.fixture
def files(tmp_path: Path) -> ServedTasks:
    (tmp_path / "tasks.yaml").write_text(MANIFESTS)
    return ServedTasks.of_files([tmp_path])


async def test_tasks_of_files(files: ServedTasks, minute: datetime) -> None:
    summary = await files.run_due(minute)
    assert [(run.task, run.output) for run in summary.runs] == [("shop/greet", "hello world\n")]
    assert [task.key for task in await files.list()] == ["shop/greet", "billing/greet", "default/clean"]
    record = await files.run_now("shop/greet", Request({"whom": "you"}))
    assert record.output == "hello you\n"
    assert (await files.run_now("clean", Request({}))).output == "clean\n"
    assert [run.task for run in await files.history(HistoryQuery(tasks=["clean"]))] == ["default/clean"]


async def test_names_that_mean_no_task_or_several(files: ServedTasks) -> None:
    with pytest.raises(NoSuchTaskError, match="several tasks 'greet': say which of shop/greet, billing/greet"):
        await files.run_now("greet", Request({}))
    with pytest.raises(NoSuchTaskError, match="no task 'x'; there are greet, greet, clean"):
        await files.history(HistoryQuery(tasks=["x"]))
    with pytest.raises(NoSuchTaskError, match="there are none at all"):
        await ServedTasks.of_schedule(Schedule("empty")).run_now("x", Request({}))
    assert await ServedTasks.of_schedule(Schedule("empty")).history(HistoryQuery()) == []


async def test_parameters_that_do_not_fit(files: ServedTasks, schedule: Schedule) -> None:
    with pytest.raises(InvalidParametersError, match="other"):
        await files.run_now("shop/greet", Request({"other": 1}))
    with pytest.raises(InvalidParametersError, match=r"task 'sync'.*until"):
        ServedTasks.of_schedule(schedule).check("sync", Request({"until": 1}))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="no such file"):
        ServedTasks.of_files([tmp_path / "none.yaml"])


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=2))])
async def test_minutes_that_have_not_come(schedule: Schedule, ran: list[str], zone: timezone) -> None:
    with pytest.raises(UntimelyError):
        await ServedTasks.of_schedule(schedule).run_due(datetime.now(zone) + timedelta(minutes=5))
    assert ran == []


async def test_a_nominal_time_without_a_zone_says_nothing(schedule: Schedule, ran: list[str]) -> None:
    with pytest.raises(UntimelyError):
        await ServedTasks.of_schedule(schedule).run_due(datetime(2026, 3, 8, 4, 0))  # noqa: DTZ001
    assert ran == []


async def test_clocks_may_differ_a_little(schedule: Schedule, ran: list[str]) -> None:
    await ServedTasks.of_schedule(schedule).run_due(datetime.now(UTC) + timedelta(seconds=50))
    assert ran


async def test_a_store_that_is_handed_in_is_used_by_one_call_at_a_time(
    schedule: Schedule, ran: list[str], minute: datetime, tmp_path: Path
) -> None:
    served = ServedTasks.of_schedule(schedule, SqliteStore(tmp_path / "handed-in.db"))
    calls = [served.run_due(minute) for _ in range(3)]
    await asyncio.gather(*calls, served.list(), served.run_now("report", Request({})), served.history(HistoryQuery()))
    assert sorted(ran) == ["report", f"sync {minute:%H:%M} since yesterday"]


async def test_a_name_that_is_no_store(schedule: Schedule) -> None:
    served = ServedTasks.of_schedule(schedule, "mysql://x")
    with pytest.raises(StoreError, match="names no store"):
        served.check_store()
    with pytest.raises(StoreError, match="names no store"):
        await served.run_due()


async def test_all_runs_can_be_stopped(minute: datetime) -> None:
    schedule = Schedule("shop")
    began = asyncio.Event()

    @schedule.task("* * * * *")
    async def long() -> None:
        began.set()
        await asyncio.sleep(600)

    served = ServedTasks.of_schedule(schedule)
    call = asyncio.ensure_future(served.run_due(minute))
    await began.wait()
    assert served.active == 1
    served.stop_all("the test is over")
    (run,) = (await call).runs
    assert (run.outcome, "the test is over" in run.message) == ("Cancelled", True)
    assert served.active == 0
