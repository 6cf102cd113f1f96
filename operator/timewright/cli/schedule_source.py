"""From the options of a command to the tasks and the store that they name.

What is imported here decides how long `schedule:run` takes to start, so each kind of source brings its own.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from timewright.cli import printing
from timewright.cli.exit_codes import USAGE, CommandError, usage_error
from timewright.cli.schedule_options import APP, default_app
from timewright.storage.location import host_of

if TYPE_CHECKING:
    import argparse

    from timewright.engine.task import Task
    from timewright.engine.work import Source
    from timewright.schedule.schedule import Schedule
    from timewright.storage.protocol import Store


class Opened(NamedTuple):
    """What the options name."""

    tasks: Sequence[Task]
    store: Store
    """Not open yet."""


def opened(options: argparse.Namespace, *, notes: bool = True) -> Opened:
    """Return the tasks and the store that are named.

    With `notes` a person is told of what manifests say that means nothing here. Raises CommandError.
    """
    app, files = named(options)
    if app is None:
        from timewright.schedule.manifests import load_manifests

        with declaration_errors():
            return Opened(load_manifests(files, printing.tell if notes else _say_nothing), store_of(options.store))
    schedule = _loaded(app)
    store = store_of(options.store or schedule.store)
    with declaration_errors():
        return Opened(schedule.tasks(host_of(store, os.environ)), store)


def watched(options: argparse.Namespace, note: Callable[[str], None]) -> tuple[Source, Store]:
    """Return where tasks come from, and come from anew when that has changed; and the store. Raises CommandError.

    `note` is told of what manifests say that means nothing here.
    """
    from timewright.schedule.sources import AppSource, ManifestSource

    app, files = named(options)
    if app is None:
        return ManifestSource(files, note), store_of(options.store)
    source = AppSource(app)
    # Bytecode is taken for that of a file which changes later in the same second, if it keeps its size.
    sys.dont_write_bytecode = True
    schedule = _loaded(app)
    store = store_of(options.store or schedule.store)
    source.host = host_of(store, os.environ)
    return source, store


def is_named(options: argparse.Namespace) -> bool:
    """Tell whether anything names a schedule."""
    return bool(options.app or options.files or default_app())


def named(options: argparse.Namespace) -> tuple[str | None, Sequence[str]]:
    """Return the application that is named, or else files. Raises CommandError when neither is, or both."""
    if options.app and options.files:
        usage_error("--app and -f are both given; name one schedule, declared in Python or by manifests")
    if options.files:
        return None, options.files
    app = options.app or default_app()
    if not app:
        usage_error(
            "which schedule? Name it with --app MODULE:ATTRIBUTE or the environment variable "
            f"{APP}, or manifests with -f FILE"
        )
    return app, ()


def store_of(given: str | Store | None) -> Store:
    """Return the store that is named, or else that of this machine; not opened yet. Raises CommandError."""
    from timewright.storage.location import store_of as find
    from timewright.storage.protocol import StoreError

    if given is not None and not isinstance(given, str):
        return given
    try:
        return find(given, os.environ)
    except StoreError as error:
        raise CommandError(str(error), USAGE) from error


@contextlib.contextmanager
def declaration_errors() -> Iterator[None]:
    """Turn what is wrong with a schedule or manifest into a CommandError."""
    from timewright.schedule.errors import DeclarationError, LoadError

    try:
        yield
    except (DeclarationError, LoadError) as error:
        raise CommandError(str(error), USAGE) from error


def _loaded(app: str) -> Schedule:
    from timewright.schedule.loading import load_app

    with declaration_errors():
        return load_app(app)


def _say_nothing(text: str) -> None:
    pass
