"""How runs went, in lines for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from timewright.cli.times import duration_in_words
from timewright.cli.words import first_line
from timewright.engine.telling import timestamp
from timewright.resources.vocabulary import Outcome, Reason

if TYPE_CHECKING:
    from timewright.engine.summary import Summary
    from timewright.storage.records import RunRecord

_MENTIONED = (Outcome.FAILED, Outcome.CANCELLED, Outcome.LOST)


def went_wrong(run: RunRecord) -> bool:
    """Tell whether a person should look at a run that has ended."""
    return run.outcome in _MENTIONED or run.reason == Reason.UNPROTECTED.value


def outcome_of(run: RunRecord) -> str:
    """Say how a run ended, with the reason where it says more; or how far it is."""
    if run.outcome is None:
        return "" if run.phase is None else run.phase.value
    return run.outcome.value if run.reason in ("", Reason.COMPLETED.value) else f"{run.outcome.value} ({run.reason})"


def duration_of(run: RunRecord) -> str:
    """Say how long a run took; nothing if it did not start."""
    if run.started_at is None or run.finished_at is None:
        return ""
    return duration_in_words(run.finished_at - run.started_at)


def run_line(name: str, run: RunRecord) -> str:
    """Say how one run ended."""
    duration = duration_of(run)
    text = f"{name} {timestamp(run.scheduled_at)} {outcome_of(run)}" + (f" after {duration}" if duration else "")
    message = first_line(run.message)
    return f"{text}: {message}" if message else text


def run_lines(runs: Sequence[RunRecord], names: Mapping[str, str]) -> list[str]:
    """Say how each run ended, one below the other. `names` are those of tasks by their keys."""
    rows = [
        (names.get(run.task, run.task), timestamp(run.scheduled_at) or "", outcome_of(run), duration_of(run))
        for run in runs
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for run, row in zip(runs, rows, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join([*cells, first_line(run.message)]).rstrip())
    return lines


def summary_line(summary: Summary) -> str:
    """Say what one invocation did."""
    outcomes = summary.outcomes()
    at = timestamp(summary.at)
    if not outcomes:
        return f"Nothing was due at {at}."
    counts = [f"{number} {outcome.value}" for outcome, number in outcomes.items()]
    return f"At {at}: {', '.join(counts)}."


def counted_line(summary: Summary) -> str | None:
    """Say how many ticks ended without a run and are not listed, if there are any."""
    counts = [f"{number} {outcome.value}" for outcome, number in summary.counted.items() if number]
    return f"and {', '.join(counts)} that are too many to be listed" if counts else None


def output_tail(run: RunRecord) -> list[str]:
    """Return what is recorded of the output of a run, indented."""
    return [f"    {line}" for line in run.output.splitlines()]
