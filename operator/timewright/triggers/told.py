"""What a door answers, and what it takes for a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from timewright.engine.telling import run_document
from timewright.resources.vocabulary import Outcome, Reason

if TYPE_CHECKING:
    from timewright.engine.summary import Summary
    from timewright.storage.records import RunRecord

_TOLD = 5


class RunsFailedError(Exception):
    """What was called for is done and recorded, and did not go well. The text tells which runs, and how they ended."""


class NotRecordedError(Exception):
    """The store could not be used. The text tells what it said."""


def summary_document(summary: Summary) -> dict[str, Any]:
    """Return a summary with the exit code that a process would have had."""
    return {**summary.to_document(), "exitCode": summary.exit_code}


def nothing_ran_for_want_of_a_store(summary: Summary) -> bool:
    """Tell whether the store was in trouble and nothing was started, so that to call again can only help."""
    return bool(summary.trouble) and not any(run.started_at is not None for run in summary.runs)


def raise_for_summary(summary: Summary) -> None:
    """Raise RunsFailedError or NotRecordedError unless all went well, as its exit code has it."""
    if summary.exit_code == 0:
        return
    failed = [run for run in summary.runs if run.outcome in (Outcome.FAILED, Outcome.CANCELLED)]
    if failed:
        told = [_told(run) for run in failed[:_TOLD]]
        if len(failed) > _TOLD:
            told.append(f"and {len(failed) - _TOLD} more")
        raise RunsFailedError(f"{len(failed)} of {len(summary.runs)} runs did not succeed: {'; '.join(told)}")
    refused = [_told(run) for run in summary.runs if run.reason == Reason.UNPROTECTED.value]
    raise NotRecordedError("; ".join([*summary.trouble, *refused][:_TOLD]))


def raise_for_record(run: RunRecord) -> None:
    """Raise RunsFailedError if a run has failed, was cancelled or lost; not if it was skipped, or goes on elsewhere."""
    if run.outcome not in (None, Outcome.SUCCEEDED, Outcome.SKIPPED):
        raise RunsFailedError(f"the run did not succeed: {_told(run)}")


def _told(run: RunRecord) -> str:
    return f"{run.run_id} {run.outcome} ({run.reason}): {run.message}"


def record_document(run: RunRecord) -> dict[str, Any]:
    """Return the record of one run as a TaskRun."""
    return run_document(run)
