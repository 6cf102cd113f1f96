"""What keeps a tick from starting: the application's own tests, maintenance, the environment."""

import pytest

from timewright import DeclarationError, Schedule
from timewright.engine.task import Task


def nothing() -> None:
    pass


def is_open() -> bool:
    return True


async def is_closed() -> bool:
    return False


def broken() -> bool:
    raise ZeroDivisionError("no numbers")


async def refusals_of(task: Task) -> list[str | None]:
    return [await condition.refusal() for condition in task.conditions]


async def test_a_test_decides_whether_a_tick_starts() -> None:
    schedule = Schedule("shop")
    schedule.call(nothing).when(is_open).when(is_closed).when(True).skip(is_open).skip(is_closed).skip(broken)
    (task,) = schedule.tasks()

    assert await refusals_of(task) == [
        None,
        "when(is_closed) does not allow it now",
        None,
        "skip(is_open) does not allow it now",
        None,
        "skip(broken) could not be asked: ZeroDivisionError: no numbers",
    ]


async def test_a_test_without_a_name_is_told_by_its_place() -> None:
    schedule = Schedule("shop")
    schedule.call(nothing).when(lambda: False)
    (task,) = schedule.tasks()

    (refusal,) = await refusals_of(task)

    assert refusal is not None
    assert refusal.startswith(f"when() at {__file__}:")


async def test_while_there_is_maintenance_only_those_start_that_say_so() -> None:
    in_maintenance = True
    schedule = Schedule("shop", maintenance=lambda: in_maintenance)
    schedule.call(nothing).named("a").when(is_open)
    schedule.call(nothing).named("b").even_in_maintenance_mode()
    first, second = schedule.tasks()

    assert await refusals_of(first) == ["maintenance does not allow it now", None]
    assert await refusals_of(second) == []
    in_maintenance = False
    assert await refusals_of(first) == [None, None]


def test_a_task_of_another_environment_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = Schedule("shop")
    schedule.call(nothing).named("a").environments("staging", "production")
    schedule.call(nothing).named("b").environments(["local"])
    schedule.call(nothing).named("c")

    monkeypatch.setenv("TIMEWRIGHT_ENVIRONMENT", "production")
    assert [task.name for task in schedule.tasks()] == ["a", "c"]
    monkeypatch.setenv("TIMEWRIGHT_ENVIRONMENT", "local")
    assert [task.name for task in schedule.tasks()] == ["b", "c"]


def test_the_environment_may_be_said_in_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMEWRIGHT_ENVIRONMENT", "local")
    schedule = Schedule("shop", environment="production")
    schedule.call(nothing).environments("production")

    assert len(schedule.tasks()) == 1


def test_an_environment_that_nobody_names_is_no_reason_to_leave_a_task_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIMEWRIGHT_ENVIRONMENT", raising=False)
    schedule = Schedule("shop")
    task = schedule.call(nothing).environments("production")

    with pytest.raises(DeclarationError) as caught:
        schedule.tasks()

    assert str(caught.value) == (
        f"{task.place}: environments production: nobody says which environment this is; "
        "set TIMEWRIGHT_ENVIRONMENT, or give Schedule(…) an environment"
    )


def test_what_is_no_test_is_refused() -> None:
    task = Schedule("shop").call(nothing)

    with pytest.raises(DeclarationError, match="when 'yes' cannot be called; write a function"):
        task.when("yes")  # type: ignore[arg-type]
    with pytest.raises(DeclarationError, match="environments"):
        task.environments()
    with pytest.raises(DeclarationError, match="maintenance 5 cannot be called"):
        Schedule("shop", maintenance=5)  # type: ignore[arg-type]
