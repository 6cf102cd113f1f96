"""Functions for python tasks to call."""

import asyncio
import ctypes
import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn


class PaymentError(Exception):
    pass


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Service:
    @staticmethod
    def call() -> None:
        print("nested")


not_a_function = 42


def greet(name: str = "nobody", times: int = 1) -> str:
    print(f"hello {name} x{times}")
    return "a result that nobody reads"


def argv() -> None:
    print(sys.argv, sys.stdin.read(), sys.path[0] == str(Path.cwd()))


async def greet_async(name: str) -> None:
    await asyncio.sleep(0)
    print(f"async hello {name}")


def returns_awaitable() -> Any:
    return greet_async("later")


def fail() -> None:
    try:
        {}["order"]
    except KeyError as error:
        raise PaymentError("card declined") from error


async def fail_async() -> None:
    await asyncio.sleep(0)
    raise ValueError("async boom")


def fail_group() -> None:
    raise ExceptionGroup("several", [ValueError("one"), TypeError("two")])


def unprintable() -> None:
    raise UnprintableError


def interrupt() -> None:
    raise KeyboardInterrupt


def generator_exit() -> None:
    raise GeneratorExit("odd")


def exit_with(code: Any) -> NoReturn:
    sys.exit(code)


def hard_exit(code: int) -> NoReturn:
    print("bye")
    os._exit(code)


def segfault() -> None:
    ctypes.string_at(0)


def spin() -> None:
    while True:
        pass


def spin_stubbornly() -> None:
    while True:
        try:
            while True:
                time.sleep(60)
        except BaseException:  # noqa: BLE001
            continue


def hang_in_c() -> None:
    sum(itertools.repeat(0))  # a loop in C that looks at no signals


def sleep_with_cleanup() -> None:
    try:
        time.sleep(60)
    finally:
        print("cleaned up")


async def sleep_async_with_cleanup() -> None:
    try:
        await asyncio.sleep(60)
    finally:
        print("cleaned up")


def thread_goes_on() -> None:
    threading.Thread(target=time.sleep, args=(60,)).start()


def fork_and_return() -> None:
    os.fork()


def close_everything() -> None:
    os.closerange(0, 100)


def close_stdout_and_fail() -> None:
    os.close(1)
    os.close(2)
    raise ValueError("unheard")


def c_output() -> None:
    ctypes.CDLL(None).puts(b"from C")
    ctypes.CDLL(None).fflush(None)
    os.write(2, b"raw descriptor\n")
    subprocess.run(["echo", "from a child"], check=True)


def pool() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as workers:
        print(workers.map(abs, [-1, -2]))


def recurse() -> None:
    recurse()


def ignore_sigterm_and_fork() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        os.setsid()
        os.execvp("sleep", ["sleep", "4242.5"])
    time.sleep(60)
