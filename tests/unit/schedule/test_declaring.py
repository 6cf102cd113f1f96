"""How tasks come into a schedule, and what they are called."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import run as run_process
from typing import Any

import pytest

import timewright
from timewright import DeclarationError, Schedule
from timewright.engine.task import Task
from timewright.runner.call import Call


def nothing() -> None:
    pass


def add(left: int, right: int, *, since: str = "yesterday") -> int:
    return left + right


class Report:
    def __call__(self) -> None:
        pass

    def send(self) -> None:
        pass


def only(schedule: Schedule) -> Task:
    (task,) = schedule.tasks()
    return task


def expression_of(task: Task) -> str:
    assert task.timetable is not None
    (expression,) = task.timetable.expressions
    return expression


def test_a_decorated_function_stays_what_it_was() -> None:
    schedule = Schedule("shop")

    @schedule.task("*/5 * * * *")
    def double(number: int = 2) -> int:
        """Double it."""
        return 2 * number

    assert double(4) == 8
    assert double.__doc__ == "Double it."
    assert isinstance(only(schedule).definition.work, Call)
    assert schedule.function_of("double") is double
    assert expression_of(only(schedule)) == "*/5 * * * *"


async def test_a_coroutine_function_is_decorated_alike() -> None:
    schedule = Schedule("shop")

    @schedule.daily_at("13:00").without_overlapping()
    async def report() -> str:
        return "sent"

    assert await report() == "sent"
    work = only(schedule).definition.work
    assert isinstance(work, Call)
    assert work.is_async
    assert expression_of(only(schedule)) == "0 13 * * *"


def test_a_call_has_its_arguments() -> None:
    schedule = Schedule("shop")
    schedule.call(add, 1, right=2).daily()

    work = only(schedule).definition.work

    assert isinstance(work, Call)
    assert (work.function, work.args, work.kwargs) == (add, (1,), {"right": 2})


@pytest.mark.parametrize(
    ("declare", "name"),
    [
        (lambda schedule: schedule.call(nothing), "nothing"),
        (lambda schedule: schedule.call(functools.partial(add, 1), 2), "add"),
        (lambda schedule: schedule.call(Report()), "Report"),
        (lambda schedule: schedule.call(Report().send), "Report.send"),
        (lambda schedule: schedule.call(lambda: None).named("check_uptime:laravel.com"), "check_uptime:laravel.com"),
        (lambda schedule: schedule.task("@daily", name="tidy")(nothing), "tidy"),
        (lambda schedule: schedule.command("php artisan queue:prune --hours=48"), "php-artisan-queue:prune-hours-48"),
        (lambda schedule: schedule.command(["/usr/bin/backup", "--all"]), "usr-bin-backup-all"),
        (lambda schedule: schedule.shell("pg_dump shop | gzip"), "bin-sh-c-pg_dump-shop-gzip"),
        (lambda schedule: schedule.http("https://me:secret@example.com/sync?key=1#x"), "get-example.com-sync"),
        (lambda schedule: schedule.http("https://example.com", method="POST"), "post-example.com"),
    ],
)
def test_a_name_follows_from_the_work(declare: Callable[[Schedule], Any], name: str) -> None:
    schedule = Schedule("shop")
    declare(schedule)

    assert only(schedule).name == name
    assert only(schedule).key == f"shop/{name}"


def test_a_command_is_split_into_words_and_nothing_else() -> None:
    schedule = Schedule("shop")
    schedule.command("echo 'two words' $HOME *")

    assert only(schedule).definition.kind == "command"
    assert only(schedule).definition.work == ["echo", "two words", "$HOME", "*"]


def test_a_script_is_run_by_a_shell() -> None:
    schedule = Schedule("shop")
    schedule.shell("pg_dump shop | gzip > shop.sql.gz")

    assert only(schedule).definition.work == ["/bin/sh", "-c", "pg_dump shop | gzip > shop.sql.gz"]


def test_a_request() -> None:
    schedule = Schedule("shop")
    schedule.http(
        "https://example.com/sync", method="post", json={"a": "ä"}, headers={"X-Key": "1"}, expected_status=[204, "3xx"]
    )

    work: Any = only(schedule).definition.work

    assert only(schedule).definition.kind == "http"
    assert (work.method.value, work.url, work.body) == ("POST", "https://example.com/sync", '{"a": "ä"}')
    assert [(header.name, header.value) for header in work.headers] == [
        ("X-Key", "1"),
        ("Content-Type", "application/json"),
    ]
    assert work.expected_status == ["204", "3xx"]


def test_the_order_is_that_of_the_declarations() -> None:
    schedule = Schedule("shop")
    for name in "cab":
        schedule.call(nothing).named(name)

    assert [task.name for task in schedule.tasks()] == ["c", "a", "b"]


def test_a_group_holds_for_all_that_is_declared_inside() -> None:
    schedule = Schedule("shop")
    with schedule.group().daily().on_one_server().time_zone("America/New_York"):
        schedule.command("emails send")
        schedule.command("emails prune").at("3:00")

        @schedule.hourly()
        def sync() -> None: ...

    schedule.command("after the group")

    tasks = schedule.tasks()
    zones = [task.timetable.time_zone for task in tasks if task.timetable]
    assert [expression_of(task) for task in tasks] == ["0 0 * * *", "0 3 * * *", "0 * * * *", "* * * * *"]
    assert zones == ["America/New_York"] * 3 + ["UTC"]
    assert [task.exclusive for task in tasks] == [True, True, True, False]


def test_a_group_may_be_a_function_and_groups_may_be_nested() -> None:
    schedule = Schedule("shop")

    def nightly() -> None:
        schedule.call(nothing).named("a")
        with schedule.weekdays():
            schedule.call(nothing).named("b")

    schedule.daily_at("2:00").group(nightly)
    schedule.call(nothing).named("c")

    assert [expression_of(task) for task in schedule.tasks()] == ["0 2 * * *", "0 2 * * 1-5", "* * * * *"]


def test_a_group_ends_however_its_block_ends() -> None:
    schedule = Schedule("shop")
    with pytest.raises(ZeroDivisionError), schedule.daily():
        raise ZeroDivisionError
    schedule.call(nothing)

    assert expression_of(only(schedule)) == "* * * * *"


def test_a_template_serves_several_tasks_and_stays_as_it_is() -> None:
    schedule = Schedule("shop")
    nightly = schedule.daily().without_overlapping()
    nightly.at("1:00").call(nothing).named("a").retry(3)
    nightly.at("2:00").mondays().command("b")
    nightly.http("https://example.com/c")

    tasks = schedule.tasks()

    assert [expression_of(task) for task in tasks] == ["0 1 * * *", "0 2 * * 1", "0 0 * * *"]
    assert [task.policies.retry.limit for task in tasks] == [3, 0, 0]
    assert all(task.policies.concurrency == "Forbid" for task in tasks)


def test_a_task_may_say_other_days_than_its_group() -> None:
    schedule = Schedule("shop")
    with schedule.daily().weekdays():
        schedule.call(nothing).saturdays()

    assert expression_of(only(schedule)) == "0 0 * * 6"


def test_a_template_from_outside_of_a_group_is_refused_inside() -> None:
    schedule = Schedule("shop")
    nightly = schedule.daily()
    with schedule.on_one_server() as group:
        group.call(nothing)
        group.daily().call(nothing).named("b")
        with pytest.raises(DeclarationError, match="was made outside of the group"):
            nightly.call(nothing)
        with pytest.raises(DeclarationError, match="was made outside of the group"):
            nightly.at("2:00").call(nothing)

    assert [task.exclusive for task in schedule.tasks()] == [True, True]


@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (lambda schedule: schedule.call("nothing"), "call 'nothing' cannot be called; write a function"),
        (lambda schedule: schedule.task(nothing), "task() needs an expression; write @schedule.task("),
        (lambda schedule: schedule.task("* * * *"), "cron '* * * *'"),
        (lambda schedule: schedule.daily()(5), "the decorated object 5 cannot be called"),
        (lambda schedule: schedule.call(nothing).named("a/b"), "named 'a/b' is no name; begin with a letter or digit"),
        (lambda schedule: schedule.command(""), "command '' is no command"),
        (lambda schedule: schedule.command("echo 'x"), "cannot be split into words: No closing quotation"),
        (lambda schedule: schedule.command("a | b"), "has '|', which means nothing without a shell; use shell()"),
        (lambda schedule: schedule.command("a > b"), "has '>', which means nothing without a shell; use shell()"),
        (lambda schedule: schedule.command([b"ls"]), "is no command; write one like"),
        (lambda schedule: schedule.shell(" "), "shell ' ' is no script"),
        (lambda schedule: schedule.http("example.com"), "http 'example.com' is no address"),
        (
            lambda schedule: schedule.http("http://a", method="FETCH"),
            "http method 'FETCH' is not known; write one of GET",
        ),
        (
            lambda schedule: schedule.http("http://a", body="x", json=1),
            "http body 'x' comes with json; give one of them",
        ),
        (lambda schedule: schedule.http("http://a", expected_status=["2x"]), "http expected_status '2x' is not"),
    ],
)
def test_what_is_wrong_is_told_where_it_is_said(declare: Callable[[Schedule], Any], says: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        declare(Schedule("shop"))

    assert str(caught.value).startswith(f"{__file__}:")
    assert says in str(caught.value)


def test_a_schedule_needs_a_proper_name() -> None:
    with pytest.raises(DeclarationError, match="Schedule 'a shop' is no name"):
        Schedule("a shop")


def test_all_problems_are_told_at_once_each_with_its_place() -> None:
    schedule = Schedule("shop")
    first = schedule.call(nothing)
    second = schedule.call(nothing)
    third = schedule.call(lambda: None)
    fourth = schedule.call(add, 1)

    with pytest.raises(DeclarationError) as caught:
        schedule.tasks()

    assert str(caught.value).split("\n") == [
        f"{second.place}: task 'nothing' has the name of the task at {first.place}; "
        "give one of them another name: named(…)",
        f"{third.place}: the task has no name; give it one: named(…)",
        f"{fourth.place}: task 'add': add(left: int, right: int, *, since: str = 'yesterday') -> int cannot be called: "
        "missing a required argument: 'right'; give call(…) its arguments, or declare what a run by hand may vary: "
        'parameter("since", default="yesterday")',
    ]


def test_a_parameter_counts_as_an_argument() -> None:
    schedule = Schedule("shop")
    schedule.call(add, 1).parameter("right", default=2)

    assert [parameter.name for parameter in only(schedule).definition.parameters] == ["right"]


def test_a_parameter_that_the_function_does_not_take_is_refused() -> None:
    schedule = Schedule("shop")
    schedule.call(nothing).parameter("since")

    with pytest.raises(DeclarationError, match="got an unexpected keyword argument 'since'"):
        schedule.tasks()


def test_an_unknown_task_is_told_with_those_that_are_known() -> None:
    schedule = Schedule("shop")
    schedule.call(nothing)
    schedule.command("ls")

    with pytest.raises(LookupError, match="schedule 'shop' has no task 'x'; its tasks are nothing, ls"):
        schedule.function_of("x")
    with pytest.raises(DeclarationError, match="task 'ls' of schedule 'shop' calls no function"):
        schedule.function_of("ls")


def test_declaring_and_building_import_nothing_heavy() -> None:
    script = """
import sys
import timewright
assert not any(name.startswith("timewright.") for name in sys.modules), "importing the package costs something"
from timewright import Schedule
schedule = Schedule("s")
schedule.call(print).every_five_minutes().without_overlapping().retry(3).before(print).parameter("end", default="")
schedule.command("ls").daily()
schedule.tasks()
heavy = {"pydantic", "yaml", "httpx", "typer", "rich", "kopf", "kubernetes", "sqlite3"} & set(sys.modules)
assert not heavy, heavy
"""
    home = str(Path(timewright.__file__).parents[1])

    ended = run_process(
        [sys.executable, "-c", script], env={"PYTHONPATH": home}, capture_output=True, text=True, check=False
    )

    assert ended.stderr == ""
    assert ended.returncode == 0
