"""Functions that are called in a process of their own, and look where they are."""

import asyncio
import functools
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from timewright.runner.current_run import current_run

TABLE = bytearray(1)


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents


def whoami(*args: Any, **kwargs: Any) -> None:
    print(os.getpid() != int(os.environ["ENGINE"]), args, kwargs)


async def whoami_async() -> None:
    await asyncio.sleep(0)
    print(os.getpid() != int(os.environ["ENGINE"]))


def pay(money: Money) -> None:
    print(money.cents)


def tell_run() -> None:
    print(current_run())


def variables(*names: str) -> None:
    print(*(os.environ.get(name) for name in names))


def hold(mebibytes: int, seconds: float) -> None:
    table = bytearray(os.urandom(1024)) * (1024 * mebibytes)
    time.sleep(seconds)
    print(len(table))


def fork_and_hold(mebibytes: int, children: int, seconds: float) -> None:
    table = bytearray(os.urandom(1024)) * (1024 * mebibytes)
    for _ in range(children):
        if os.fork() == 0:
            time.sleep(seconds)
            os._exit(0)
    for _ in range(children):
        os.wait()
    print(len(table))


def hang() -> None:
    time.sleep(4242.8)


def fail() -> None:
    raise ValueError("in the child")


def leave(code: int) -> None:
    sys.exit(code)


def decorated(function: Callable[[], None]) -> Callable[[], None]:
    @functools.wraps(function)
    def wrapper() -> None:
        print("decorated")
        function()

    return wrapper


@decorated
def with_decorator() -> None:
    print("itself")


def _hidden() -> None:
    print("found by its task")


class Schedule:
    def function_of(self, name: str) -> Callable[..., Any]:
        return {"hidden": lambda *args: print("found by its task", *args)}[name]


schedule = Schedule()
not_a_schedule = Path()
