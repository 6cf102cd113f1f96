"""Running a schedule from Python, against a store in a file."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import timewright
from timewright import DeclarationError, Schedule, current_run
from timewright.engine.by_hand import InvalidParametersError
from timewright.schedule.loading import load_app
from timewright.storage.sqlite import SqliteStore

NINE = datetime(2026, 1, 1, 9, tzinfo=UTC)
TEN = datetime(2026, 1, 1, 10, tzinfo=UTC)


@pytest.fixture
def schedule(tmp_path: Path) -> Schedule:
    """A schedule of its own, with a store in a file."""
    return Schedule("shop", store=f"sqlite://{tmp_path}/state.db", environment="production")


def outcomes(schedule: Schedule, at: datetime) -> dict[str, str]:
    return {run.task: str(run.outcome) for run in schedule.run(at).runs}


def test_a_run_does_what_is_due_once(schedule: Schedule) -> None:
    done: list[str] = []
    schedule.call(done.append, "hourly").hourly().named("a")
    schedule.call(done.append, "later").hourly_at(30).named("b")

    @schedule.hourly()
    async def later() -> None:
        await asyncio.sleep(0)
        done.append("async")

    schedule.shell("exit 3").named("fails").hourly()

    assert outcomes(schedule, NINE) == {"shop/a": "Succeeded", "shop/later": "Succeeded", "shop/fails": "Failed"}
    assert sorted(done) == ["async", "hourly"]
    assert outcomes(schedule, NINE) == {}
    assert outcomes(schedule, TEN)["shop/a"] == "Succeeded"


def test_the_summary_tells_the_exit_code(schedule: Schedule) -> None:
    schedule.call(list).hourly()
    assert schedule.run(NINE).exit_code == 0
    schedule.shell("exit 3").named("fails").hourly()
    assert schedule.run(TEN).exit_code == 1


def test_tasks_in_order_wait_for_one_another(schedule: Schedule) -> None:
    active: list[int] = []
    most: list[int] = []

    async def work() -> None:
        active.append(1)
        most.append(len(active))
        await asyncio.sleep(0.02)
        active.pop()

    for name in "abc":
        schedule.call(work).hourly().named(name).in_order()
    schedule.run(NINE)
    assert max(most) == 1

    most.clear()
    beside = Schedule("beside", store=schedule.store)
    for name in "abc":
        beside.call(work).hourly().named(name)
    beside.run(NINE)
    assert max(most) == 3


def test_a_naive_instant_is_refused(schedule: Schedule) -> None:
    with pytest.raises(ValueError, match="has no time zone; pass an aware datetime"):
        schedule.run(datetime(2026, 1, 1))  # noqa: DTZ001 - what is tested


async def test_on_a_running_event_loop_there_is_a_method_to_await(schedule: Schedule) -> None:
    schedule.call(list).hourly()

    with pytest.raises(RuntimeError, match=r"an event loop is running here.*await schedule.arun\(\) instead"):
        schedule.run(NINE)
    assert [run.outcome for run in (await schedule.arun(NINE)).runs] == ["Succeeded"]
    with pytest.raises(RuntimeError, match=r"await schedule.arun_now\(\) instead"):
        schedule.run_now("list")
    assert (await schedule.arun_now("list")).outcome == "Succeeded"


def test_a_run_by_hand_has_its_parameters_and_its_key(schedule: Schedule) -> None:
    seen: list[tuple[str, str]] = []

    @schedule.daily()
    def sync(since: str = "yesterday") -> None:
        run = current_run()
        assert run is not None
        seen.append((since, str(run.trigger)))

    run = schedule.run_now("sync", since="2026-01-01", idempotency_key="january")
    again = schedule.run_now("sync", since="2027-01-01", idempotency_key="january")

    assert seen == [("2026-01-01", "Manual")]
    assert (run.outcome, dict(run.parameters)) == ("Succeeded", {"since": "2026-01-01"})
    assert again.run_id == run.run_id


def test_declared_parameters_are_judged(schedule: Schedule) -> None:
    declared = schedule.shell("echo month $TIMEWRIGHT_PARAMETER_MONTH").named("bill").monthly()
    declared.parameter("month", type=int, default=1, allowed_values=range(1, 13))

    assert schedule.run_now("bill").output == "month 1\n"
    assert schedule.run_now("bill", month=11).output == "month 11\n"
    with pytest.raises(InvalidParametersError, match="13 is not among the allowed values"):
        schedule.run_now("bill", month=13)
    with pytest.raises(InvalidParametersError, match="'11' is not of type integer"):
        schedule.run_now("bill", month="11")
    with pytest.raises(InvalidParametersError, match="the task declares no such parameter; it declares month"):
        schedule.run_now("bill", year=2026)


def test_what_cannot_be_run_by_hand_is_told(schedule: Schedule) -> None:
    @schedule.daily()
    def sync(since: str = "yesterday") -> None:
        pass

    schedule.command("ls").environments("staging")

    with pytest.raises(InvalidParametersError) as caught:
        schedule.run_now("sync", sinc="2026")
    assert str(caught.value) == (
        "task 'sync': sync(since: str = 'yesterday') -> None cannot be called: got an unexpected keyword argument "
        "'sinc'; pass what it takes by name, and no more"
    )
    with pytest.raises(DeclarationError, match="has no task 'x'; its tasks are sync, ls"):
        schedule.run_now("x")
    with pytest.raises(DeclarationError, match="task 'ls' is for staging, and this is production; run it there"):
        schedule.run_now("ls")


def test_a_run_by_hand_respects_what_is_active_or_overrides_it(schedule: Schedule) -> None:
    begun, done = threading.Event(), threading.Event()

    @schedule.daily().without_overlapping()
    def slow() -> None:
        if not begun.is_set():
            begun.set()
            done.wait(10)

    first = threading.Thread(target=schedule.run_now, args=("slow",))
    first.start()
    try:
        assert begun.wait(10)
        refused = schedule.run_now("slow")
        overriding = schedule.run_now("slow", override=True)
    finally:
        done.set()
        first.join()

    assert (refused.outcome, refused.reason) == ("Skipped", "Overlap")
    assert overriding.outcome == "Succeeded"


def test_hooks_are_given_the_run(schedule: Schedule) -> None:
    told: list[object] = []
    schedule.shell("echo hello; exit 3").named("a").hourly().before(lambda run: told.append(run.task)).on_failure(
        lambda run: told.append((run.reason, run.output))
    ).on_success(told.clear).after(lambda: told.append("after"))

    schedule.run(NINE)

    assert told == ["a", ("NonZeroExit", "hello\n"), "after"]


def test_output_goes_to_a_file_too(schedule: Schedule, tmp_path: Path) -> None:
    schedule.call(print, "one").named("a").hourly().append_output_to(tmp_path / "a.log")
    schedule.command("echo two").named("b").hourly().send_output_to(tmp_path / "b.log")

    schedule.run(NINE)
    schedule.run(TEN)

    assert (tmp_path / "a.log").read_text() == "one\none\n"
    assert (tmp_path / "b.log").read_text() == "two\n"


def test_maintenance_and_conditions_skip_with_a_reason(tmp_path: Path) -> None:
    schedule = Schedule("shop", store=f"sqlite://{tmp_path}/state.db", maintenance=lambda: True)
    schedule.call(list).hourly()

    (run,) = schedule.run(NINE).runs

    assert (run.outcome, run.reason, run.message) == ("Skipped", "Condition", "maintenance does not allow it now")


def test_a_list_tells_what_is_next_and_what_was(schedule: Schedule) -> None:
    schedule.shell("exit 3").named("a").daily_at("13:00")
    schedule.call(list).only_by_hand()
    schedule.run_now("a")

    first, second = schedule.list(ticks=2)

    assert (first.name, first.expressions, str(first.last_outcome)) == ("a", ("0 13 * * *",), "Failed")
    assert [f"{tick:%H:%M}" for tick in first.next_ticks] == ["13:00", "13:00"]
    assert (second.expressions, second.next_ticks, second.last_outcome) == ((), (), None)


def test_a_store_may_be_an_object(tmp_path: Path) -> None:
    schedule = Schedule("shop", store=SqliteStore(tmp_path / "state.db"))
    schedule.call(list).hourly()

    assert outcomes(schedule, NINE) == {"shop/list": "Succeeded"}
    assert outcomes(schedule, NINE) == {}


ISOLATED = """
import os
from timewright import Schedule
def create():
    schedule = Schedule("shop", store="sqlite://{folder}/state.db")
    schedule.call(lambda: print("in", os.getpid())).named("nameless").isolated()
    return schedule
schedule = create()
"""


@pytest.fixture
def forgotten_modules() -> Iterator[None]:
    """Forget what a test imports."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.usefixtures("forgotten_modules")
@pytest.mark.parametrize("attribute", ["schedule", "create"])
def test_a_function_runs_in_a_child_process_by_way_of_its_schedule(
    attribute: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(timewright.__file__).parents[1]))
    (tmp_path / "isolated_app.py").write_text(ISOLATED.format(folder=tmp_path))
    schedule = load_app(f"isolated_app:{attribute}")

    run = schedule.run_now("nameless")

    assert run.outcome == "Succeeded", run.message
    assert run.output.startswith("in ")
    assert run.output != f"in {os.getpid()}\n"


WORK = """
from timewright import Schedule
schedule = Schedule("shop", store="sqlite://{folder}/state.db")
@schedule.every_second()
async def tick():
    with open("{folder}/ticks", "a") as file:
        file.write("tick\\n")
schedule.work()
"""


def test_work_runs_every_tick_until_it_is_asked_to_end(tmp_path: Path) -> None:
    (tmp_path / "ticks").touch()
    environment = {**os.environ, "PYTHONPATH": str(Path(timewright.__file__).parents[1])}
    process = subprocess.Popen(
        [sys.executable, "-c", WORK.format(folder=tmp_path)], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        while len((tmp_path / "ticks").read_text().splitlines()) < 2:
            assert process.poll() is None
            threading.Event().wait(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


async def test_work_on_a_running_loop_ends_when_it_is_cancelled(schedule: Schedule) -> None:
    ticked = asyncio.Event()

    @schedule.every_second()
    async def tick() -> None:
        ticked.set()

    work = asyncio.ensure_future(schedule.awork())
    await asyncio.wait_for(ticked.wait(), 30)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work

    assert (await schedule.arun_now("tick")).outcome == "Succeeded"
