"""The network namespace of a cluster, and how a thread of this process gets into it."""

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def entered(namespace: Path) -> Iterator[None]:
    """Move the calling thread, and every thread and process it starts meanwhile, into a network namespace.

    Sockets keep the namespace they were opened in, so connections made inside go on working outside.
    """
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _enter(namespace)
        try:
            yield
        finally:
            _set(home)
    finally:
        os.close(home)


def call_inside(namespace: Path, function: Callable[[], Result]) -> Result:
    """Call a function on a thread of its own inside the namespace; the calling thread never leaves where it is."""
    outcome: list[Result] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            _enter(namespace)
            outcome.append(function())
        except BaseException as error:  # noqa: BLE001 - handed to the caller, who raises it
            failure.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


def _enter(namespace: Path) -> None:
    descriptor = os.open(namespace, os.O_RDONLY)
    try:
        _set(descriptor)
    finally:
        os.close(descriptor)


def _set(descriptor: int) -> None:
    # os.setns exists from Python 3.12 on.
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot enter the network namespace: {os.strerror(number)}")
