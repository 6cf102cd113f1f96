"""The options that the commands of a schedule share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

APP = "TIMEWRIGHT_APP"
"""The environment variable that names the schedule when no option does."""

EXIT_CODES = """\
Exit codes: 0 all is well, 1 a run failed or was cancelled, 2 the arguments or the schedule are wrong,
3 the store cannot be used, or a task was refused that needs one that all share, 128 + n ended by signal n.
"""


def parser_of(command: str, description: str, epilog: str = "") -> argparse.ArgumentParser:
    """Return the parser of a command, with the options that say which schedule and which store."""
    parser = argparse.ArgumentParser(
        prog=f"timewright {command}",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    group = parser.add_argument_group("which schedule, and which store")
    group.add_argument(
        "--app", metavar="MODULE:ATTRIBUTE", help=f"a timewright.Schedule, declared in Python; else ${APP} says it"
    )
    group.add_argument(
        "-f",
        "--file",
        dest="files",
        action="append",
        default=[],
        metavar="FILE",
        help="ScheduledTask manifests, or a folder of them; may be given several times",
    )
    group.add_argument(
        "--store",
        metavar="URL",
        help="sqlite:///PATH or postgresql://USER@HOST/DATABASE; else $TIMEWRIGHT_STORE says it. "
        "Default: a file in the folder for state of this user",
    )
    return parser


def add_output(parser: argparse.ArgumentParser, *formats: str, help: str = "for programs") -> None:  # noqa: A002
    """Add `-o`, which says how to print; `text` unless it is given."""
    parser.add_argument("-o", "--output", choices=formats, default="text", help=help)


def value(read: Callable[[str], object]) -> Callable[[str], object]:
    """Have a ValueError of a reader tell the person what was expected."""

    def reading(text: str) -> object:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return reading


def count(text: str) -> int:
    """Read a whole number from 1."""
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def default_app() -> str | None:
    """Return the schedule that the environment names."""
    return os.environ.get(APP) or None
