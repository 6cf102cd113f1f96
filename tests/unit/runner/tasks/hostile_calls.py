"""Functions of every temper, to be called within the process that runs others as well."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, NoReturn


class UnprintableError(Exception):
    def __str__(self) -> str:
        sys.exit("not even this")


def fine() -> str:
    print("fine")
    return "a value that nobody reads"


async def fine_async() -> None:
    await asyncio.sleep(0.01)
    print("fine")


def exit_0() -> NoReturn:
    sys.exit(0)


def exit_3() -> NoReturn:
    sys.exit(3)


async def exit_text_async() -> NoReturn:
    sys.exit("out of stock")


def interrupt() -> NoReturn:
    raise KeyboardInterrupt


async def interrupt_async() -> NoReturn:
    raise KeyboardInterrupt


async def generator_exit_async() -> NoReturn:
    raise GeneratorExit("odd")


async def cancelled_error_async() -> NoReturn:
    raise asyncio.CancelledError("by myself")


async def stop_iteration_async() -> NoReturn:
    raise StopIteration("odd")


def unprintable() -> NoReturn:
    raise UnprintableError


def recurse() -> None:
    recurse()


async def recurse_async() -> None:
    await recurse_async()


def _ping(depth: int) -> None:
    if depth == 0:
        raise ValueError("deep down")
    _pong(depth - 1)


def _pong(depth: int) -> None:
    _ping(depth)


def deep_traceback() -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    threading.stack_size(512 * 1024 * 1024)
    try:
        _ping(5_000)
    finally:
        sys.setrecursionlimit(before)
        threading.stack_size(0)


def long_chain() -> None:
    error = ValueError("the first")
    for number in range(5_000):
        error.__context__, error = None, ValueError(f"number {number}")
        error.__context__ = ValueError("another")
    link = error
    for number in range(5_000):
        link.__cause__ = ValueError(f"cause {number}")
        link = link.__cause__
    raise error


def fork_and_return() -> None:
    os.fork()


async def fork_and_return_async() -> None:
    os.fork()


async def fork_and_await_async() -> None:
    os.fork()
    await asyncio.sleep(0.05)


async def fork_and_raise_async() -> None:
    os.fork()
    raise ValueError("from both")


async def fork_in_a_task_of_its_own_async() -> None:
    async def forks() -> None:
        os.fork()
        await asyncio.sleep(0.05)

    await asyncio.create_task(forks())


def close_streams() -> None:
    sys.stdout.close()
    sys.stderr.close()


def close_streams_and_print() -> None:
    sys.stdout.close()
    print("nobody hears this")


def close_descriptors() -> None:
    os.close(1)
    os.close(2)


async def close_descriptors_async() -> None:
    os.close(1)
    os.close(2)


def print_a_lot() -> None:
    print("begin")
    line = "x" * 99_999
    for _ in range(1000):
        print(line)
    print("end")


async def print_a_lot_async() -> None:
    print_a_lot()


def set_a_signal_handler() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def generator() -> Iterator[int]:
    print("never")
    yield 1


async def generator_async() -> AsyncIterator[int]:
    print("never")
    yield 1


def coroutine_never_awaited() -> Any:
    return fine_async()


class Odd:
    @property
    def __class__(self) -> type:  # type: ignore[override]
        raise RuntimeError("do not ask")


def odd_value() -> Any:
    return Odd()


async def odd_await_async() -> None:
    class Nonsense:
        def __await__(self) -> Iterator[Any]:
            yield "nonsense"

    await Nonsense()


async def stop_the_loop_async() -> None:
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0.01)


async def exit_in_a_task_async() -> None:
    async def exits() -> None:
        sys.exit(5)

    with contextlib.suppress(SystemExit):
        await asyncio.create_task(exits())


async def cancel_itself_async() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(10)


async def cancel_all_async() -> None:
    for task in asyncio.all_tasks():
        if task is not asyncio.current_task():
            task.cancel()
    await asyncio.sleep(0.01)


async def swallow_cancellation_async() -> None:
    for _ in range(5):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)


async def await_what_swallows_async() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(swallow_cancellation_async())


async def spin_politely_async() -> None:
    for _ in range(5):
        with contextlib.suppress(asyncio.CancelledError):
            while True:  # noqa: ASYNC110 - to be impolite is the point
                await asyncio.sleep(0)


async def clean_up_async() -> None:
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.01)
        print("cleaned up")


async def time_out_within_async() -> None:
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)
    except TimeoutError:
        print("timed out within")


def hang() -> None:
    time.sleep(60)


async def take_signals_async() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)
    await asyncio.sleep(1.5)
