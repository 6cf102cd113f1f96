"""The page of the command line tells every command of a schedule, and every option."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from timewright.cli.schedule_commands import COMMANDS

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
SHARED = {"--help", "--app", "--file", "--store"}
READS_ITS_OWN = {"schedule:explain"}
"""Told on another page."""


def section(command: str) -> str:
    (found,) = [
        part for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:] if command in part.partition("\n")[0].split()
    ]
    return found


@pytest.mark.parametrize("command", [name for name in COMMANDS if name.startswith("schedule:")])
def test_each_option_is_told(command: str) -> None:
    if command in READS_ITS_OWN:
        assert "--help` tells the options" in section(command)
        return
    module = "schedule_run_due" if command == "schedule:run" else COMMANDS[command][0]
    parser = import_module(f"timewright.cli.{module}")._parser()
    options = {name for action in parser._actions for name in action.option_strings if name.startswith("--")}
    assert options >= SHARED
    text = section(command) + (section("schedule:run-now") if command == "schedule:test" else "")
    wanted = {"-o " if name == "--output" else name for name in options - SHARED}
    assert {name for name in wanted if name not in text} == set()
