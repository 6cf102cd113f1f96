"""How a task runs: what is said of it in Python, as the engine gets it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from timewright import DeclarationError, Schedule
from timewright.decisions.policies import MissedRuns, NeededLock, Policies, Retry
from timewright.engine.task import Task
from timewright.resources.vocabulary import ConcurrencyPolicy, LockPolicy, MissedRunsPolicy, OnLost
from timewright.runner.definition import OutputFile
from timewright.runner.hooks import Hooks
from timewright.schedule.declaration import Declaration
from timewright.storage.protocol import Retention


def nothing() -> None:
    pass


def task_of(declare: Callable[[Declaration], Any], host: str | None = None) -> Task:
    schedule = Schedule("shop")
    declare(schedule.call(nothing))
    (task,) = schedule.tasks(host)
    return task


def test_a_task_of_which_nothing_is_said() -> None:
    task = task_of(lambda task: task)

    assert task.policies == Policies()
    assert task.retention == Retention()
    assert task.definition.hooks == Hooks()
    assert (task.exclusive, task.in_background, task.suspended, task.conditions) == (False, True, False, ())


@pytest.mark.parametrize(
    ("declare", "expected"),
    [
        (lambda task: task.without_overlapping(), Policies(concurrency=ConcurrencyPolicy.FORBID)),
        (
            lambda task: task.overlap("Queue", max_concurrent=2, max_queued=5),
            Policies(concurrency=ConcurrencyPolicy.QUEUE, max_concurrent=2, max_queued=5),
        ),
        (
            lambda task: task.locks("till", "office"),
            Policies(locks=(NeededLock("office"), NeededLock("till"))),
        ),
        (
            lambda task: task.locks("till").skip_if_locked(),
            Policies(locks=(NeededLock("till"),), lock_policy=LockPolicy.SKIP),
        ),
        (lambda task: task.retry(3), Policies(retry=Retry(3, 10, 600, 0.1))),
        (
            lambda task: task.retry(3, backoff=timedelta(hours=1), jitter=0),
            Policies(retry=Retry(3, 3600, 3600, 0)),
        ),
        (lambda task: task.retry(2, backoff=0.5, max_backoff=2), Policies(retry=Retry(2, 0.5, 2, 0.1))),
        (
            lambda task: task.missed_runs("All", max_runs=3, max_age=timedelta(days=1)),
            Policies(missed_runs=MissedRuns(MissedRunsPolicy.ALL, 3, 86_400)),
        ),
        (lambda task: task.starting_deadline(30), Policies(starting_deadline=30)),
        (lambda task: task.on_resume("Latest"), Policies(on_resume=MissedRunsPolicy.LATEST)),
        (lambda task: task.on_schedule_change("All"), Policies(on_schedule_change=MissedRunsPolicy.ALL)),
        (lambda task: task.on_lost("Rerun"), Policies(on_lost=OnLost.RERUN)),
    ],
)
def test_policies(declare: Callable[[Declaration], Any], expected: Policies) -> None:
    assert task_of(declare).policies == expected


@pytest.mark.parametrize(
    ("declare", "field", "expected"),
    [
        (lambda task: task.timeout(90), "timeout_seconds", 90),
        (lambda task: task.timeout(timedelta(minutes=2)), "timeout_seconds", 120),
        (lambda task: task.retry(3), "retry", Retry(3, 10, 600, 0.1)),
        (lambda task: task.memory_limit("512Mi"), "memory_limit_bytes", 512 * 1024**2),
        (lambda task: task.memory_limit(10**6), "memory_limit_bytes", 10**6),
        (lambda task: task.send_output_to("a.log"), "output_file", OutputFile("a.log")),
        (lambda task: task.append_output_to("a.log"), "output_file", OutputFile("a.log", append=True)),
        (
            lambda task: task.with_environment({"A": "1"}).with_environment({"B": "2"}),
            "environment",
            {"A": "1", "B": "2"},
        ),
        (
            lambda task: task.before(print).after(nothing).on_success(len).on_failure(repr).after(print),
            "hooks",
            Hooks(before=(print,), after=(nothing, print), on_success=(len,), on_failure=(repr,)),
        ),
        (
            lambda task: (
                task.ping_before("http://a")
                .then_ping("http://b")
                .ping_on_success("http://c", only_if=False)
                .ping_on_failure("http://d", only_if=True)
            ),
            "hooks",
            Hooks(ping_before=("http://a",), then_ping=("http://b",), ping_on_failure=("http://d",)),
        ),
    ],
)
def test_the_definition(declare: Callable[[Declaration], Any], field: str, expected: object) -> None:
    assert getattr(task_of(declare).definition, field) == expected


def test_isolation_is_the_call_s() -> None:
    work: Any = task_of(lambda task: task.isolated()).definition.work

    assert work.isolated


def test_history() -> None:
    task = task_of(lambda task: task.keep_history(succeeded_runs=5, other_runs=0, max_age=timedelta(days=30)))

    assert task.retention == Retention(5, 0, 30 * 86_400)


def test_a_description_and_pauses() -> None:
    task = task_of(lambda task: task.description("Nothing.").even_when_paused())

    assert (task.description, task.even_when_paused) == ("Nothing.", True)
    assert not task_of(lambda task: task).even_when_paused


def test_order_and_suspension() -> None:
    assert not task_of(lambda task: task.in_order()).in_background
    assert task_of(lambda task: task.in_order().run_in_background()).in_background
    assert task_of(lambda task: task.suspended()).suspended
    assert not task_of(lambda task: task.suspended().suspended(False)).suspended


def test_a_parameter() -> None:
    schedule = Schedule("shop")
    schedule.command("import").parameter(
        "month", type=int, default=1, allowed_values=range(1, 13), description="Which one."
    ).parameter("dry_run", default=False).parameter("since")
    (task,) = schedule.tasks()

    assert [(each.name, each.default) for each in task.definition.parameters] == [
        ("month", 1),
        ("dry_run", False),
        ("since", None),
    ]


@pytest.mark.parametrize(
    ("declare", "key", "exclusive"),
    [
        (lambda task: task, "shop/nothing@web1", False),
        (lambda task: task.on_one_server(), "shop/nothing", True),
        (lambda task: task.on_every_server(), "shop/nothing@web1", False),
        (lambda task: task.without_overlapping(), "shop/nothing", True),
        (lambda task: task.overlap("Allow", max_concurrent=3), "shop/nothing", True),
        (lambda task: task.without_overlapping().on_every_server(), "shop/nothing@web1", True),
        (lambda task: task.on_every_server().on_one_server(), "shop/nothing", True),
    ],
)
def test_who_shares_the_ticks(declare: Callable[[Declaration], Any], key: str, exclusive: bool) -> None:
    task = task_of(declare, host="web1")

    assert (task.key, task.exclusive) == (key, exclusive)
    assert task_of(declare).key == "shop/nothing"


def test_a_task_with_locks_never_runs_unprotected() -> None:
    assert task_of(lambda task: task.locks("till")).exclusive


def test_a_schedule_says_how_many_may_hold_a_lock() -> None:
    schedule = Schedule("shop", locks={"till": 2})
    schedule.command("true").locks("till", "office").named("count")
    (task,) = schedule.tasks()
    assert task.policies.locks == (NeededLock("office", 1), NeededLock("till", 2))
    with pytest.raises(DeclarationError, match=r"locks of 'till' 0 does not fit; write a whole number"):
        Schedule("shop", locks={"till": 0})


def test_to_skip_if_locked_takes_a_lock() -> None:
    with pytest.raises(DeclarationError, match=r"skip_if_locked\(\): the task names no locks; name them"):
        task_of(lambda task: task.skip_if_locked())


def test_jitter_changes_starts_and_the_identity_of_the_schedule() -> None:
    plain, put_off = task_of(lambda task: task.daily()), task_of(lambda task: task.daily().jitter(300))
    assert put_off.jitter == 300
    assert put_off.schedule_id != plain.schedule_id
    tick = plain.ticks.first_from(1_800_000_000)
    start = put_off.ticks.first_from(1_800_000_000)
    assert tick is not None
    assert start is not None
    assert tick <= start <= tick + 300
    assert task_of(lambda task: task.daily().jitter(300)).ticks.first_from(1_800_000_000) == start


@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (
            lambda task: task.overlap("forbid"),
            "overlap 'forbid' is not known; write one of 'Allow', 'Forbid', 'Replace'",
        ),
        (
            lambda task: task.overlap("Queue", max_concurrent=0),
            "max_concurrent 0 does not fit; write a whole number, 1 or",
        ),
        (lambda task: task.locks(), "locks () does not fit; write from 1 to 8 names, each once"),
        (lambda task: task.locks("a", "a"), "locks ('a', 'a') does not fit"),
        (lambda task: task.locks("The Till"), "lock 'The Till' is no name of a lock; write up to 63 letters"),
        (lambda task: task.jitter(0), "jitter 0 does not fit; write seconds, 1 or more"),
        (lambda task: task.jitter(timedelta(hours=2)), "is too long; write up to 3600 seconds"),
        (lambda task: task.retry(-1), "retry limit -1 does not fit; write a number from 0 to 100"),
        (lambda task: task.retry(1, backoff=-1), "retry backoff -1 does not fit; write seconds"),
        (lambda task: task.retry(1, backoff=10, max_backoff=5), "retry max_backoff 5 is less than backoff"),
        (lambda task: task.retry(1, jitter=2), "retry jitter 2 does not fit; write a share from 0 to 1"),
        (lambda task: task.timeout(0), "timeout 0 does not fit; write seconds, 1 or more"),
        (lambda task: task.timeout("1m"), "timeout '1m' does not fit; write seconds"),
        (lambda task: task.memory_limit("much"), "memory_limit 'much' is no amount of memory; write bytes, or"),
        (lambda task: task.memory_limit(0), "memory_limit 0 is no amount of memory"),
        (
            lambda task: task.missed_runs("Some"),
            "missed_runs 'Some' is not known; write one of 'Skip', 'Latest', 'All'",
        ),
        (lambda task: task.missed_runs("All", max_runs=0), "missed_runs max_runs 0 does not fit"),
        (lambda task: task.keep_history(succeeded_runs=-1), "keep_history succeeded_runs -1 does not fit"),
        (lambda task: task.before("x"), "before 'x' cannot be called; write a function of no argument, or of one"),
        (lambda task: task.then_ping("example.com"), "then_ping 'example.com' is no address; write one like"),
        (lambda task: task.send_output_to(""), "send_output_to '' is empty; write the path of a file"),
        (lambda task: task.with_environment({"A": 1}), "has a name or value that is no text"),
        (lambda task: task.parameter("two words"), "parameter 'two words' is no name"),
        (lambda task: task.parameter("a", type=list), "parameter 'a' type <class 'list'> is not known; write str"),
        (lambda task: task.parameter("a", type=int, default="1"), "parameter 'a' default '1' is not of type int"),
        (lambda task: task.parameter("a", default=1, allowed_values=[2]), "default 1 is not among allowed_values"),
        (lambda task: task.parameter("a", allowed_values=[]), "allowed_values () is empty"),
        (lambda task: task.parameter("a").parameter("A"), "parameter() declares 'A' again, whatever its case"),
    ],
)
def test_what_is_wrong_is_told_where_it_is_said(declare: Callable[[Declaration], Any], says: str) -> None:
    task = Schedule("s").call(nothing)

    with pytest.raises(DeclarationError) as caught:
        declare(task)

    assert str(caught.value).startswith(f"{__file__}:")
    assert says in str(caught.value)
