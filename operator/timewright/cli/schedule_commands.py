"""The commands that read their own arguments: where each is, and what the list of commands says of it.

They import no more than they need, since most are called often, and one of them in every task's Pod.
"""

from __future__ import annotations

from importlib import import_module

COMMANDS = {
    "schedule:run": ("schedule_run", "Run what is due now, once; in a task's Pod the task that it was made for."),
    "schedule:run-now": ("schedule_run_now", "Run a task now, with parameters, and wait for its end."),
    "schedule:work": ("schedule_work", "Run every tick at its second, until told to end."),
    "schedule:list": ("schedule_list", "List the tasks: when each is due next, and how it went last."),
    "schedule:test": ("schedule_test", "Pick a task, run it now and see its output."),
    "schedule:history": ("schedule_history", "List the runs that are recorded, the latest first."),
    "schedule:interrupt": ("schedule_interrupt", "Ask for the end of runs that are active."),
    "schedule:pause": ("schedule_pause", "Let tasks rest, until some time or until they are resumed."),
    "schedule:resume": ("schedule_resume", "Let tasks that were paused run again."),
    "schedule:unlock": ("schedule_unlock", "Give up runs that hang for good, or free a lock."),
    "schedule:explain": ("schedule_explain", "Explain a schedule in words, and list its next ticks."),
    "export": ("export", "Print a schedule that Python declares as manifests for a cluster."),
}


def run(command: str, arguments: list[str]) -> int:
    """Run one of the commands; return the exit code."""
    code: int = import_module(f"timewright.cli.{COMMANDS[command][0]}").run(arguments)
    return code
