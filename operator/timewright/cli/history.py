"""`timewright history`: lists the runs of a task, the newest first."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from timewright.cli.cluster import Cluster, Target, connected
from timewright.cli.exit_codes import SUCCEEDED
from timewright.cli.run_now import find_task
from timewright.cli.words import first_line, seconds_between, seconds_in_words, time_in_words
from timewright.desired.names import TASK_LABEL, task_label
from timewright.resources.model import format_time
from timewright.resources.vocabulary import Outcome

Manifest = dict[str, Any]

_COLUMNS = ("RUN", "SCHEDULED", "STARTED", "DURATION", "TRIGGER", "OUTCOME", "REASON", "MESSAGE")
_STYLES = {
    Outcome.SUCCEEDED: "green",
    Outcome.FAILED: "bold red",
    Outcome.LOST: "bold red",
    Outcome.SKIPPED: "yellow",
    Outcome.MISSED: "yellow",
    Outcome.CANCELLED: "yellow",
}
_COUNTED = ("succeeded", "failed", "skipped", "missed", "cancelled", "lost")


class Format(StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


@dataclass(frozen=True, slots=True)
class History:
    """Which runs to list: all, or those of certain outcomes, at most `limit`."""

    task: str
    outcomes: Collection[Outcome] = ()
    limit: int = 20
    format: Format = Format.TABLE


async def history(target: Target, request: History) -> int:
    """Print the runs of a task; return the exit code."""
    async with connected(target) as cluster:
        task = await find_task(cluster, request.task)
        runs = await _runs(cluster, request.task)
    chosen = [run for run in runs if not request.outcomes or _status(run).get("outcome") in request.outcomes]
    shown = chosen[: request.limit]
    if request.format is Format.JSON:
        sys.stdout.write(json.dumps(_as_list(shown), indent=2, ensure_ascii=False) + "\n")
    elif request.format is Format.YAML:
        import yaml

        yaml.safe_dump(_as_list(shown), sys.stdout, sort_keys=False, allow_unicode=True, width=120)
    else:
        _print_table(task, shown, len(chosen))
    return SUCCEEDED


async def _runs(cluster: Cluster, task: str) -> list[Manifest]:
    """Read the task's runs, the newest first."""
    from timewright.cluster.api import TASK_RUNS

    runs: list[Manifest] = []
    async for page in cluster.api.list_all(TASK_RUNS, cluster.namespace, f"{TASK_LABEL}={task_label(task)}"):
        runs += [run for run in page if run["spec"]["taskRef"]["name"] == task]
    return sorted(runs, key=lambda run: (scheduled_at(run), run["metadata"]["name"]), reverse=True)


def scheduled_at(run: Manifest) -> str:
    """Return the nominal time of a run; one made by hand is due when it is created."""
    return time_in_words(run["spec"].get("scheduledAt") or run["metadata"]["creationTimestamp"])


def row(run: Manifest, now: datetime) -> tuple[str, ...]:
    """Return the cells of one run. `now` is an aware instant, to tell how long an active run has taken so far."""
    status = _status(run)
    duration = seconds_between(status.get("startTime"), status.get("completionTime") or format_time(now))
    return (
        run["metadata"]["name"],
        scheduled_at(run),
        time_in_words(status.get("startTime")),
        "" if duration is None else seconds_in_words(duration),
        run["spec"].get("trigger", "Manual"),
        status.get("outcome") or status.get("phase") or "Pending",
        status.get("reason") or "",
        first_line(status.get("message")),
    )


def counters_line(task: Manifest) -> str:
    """Say how the task has fared since it was created."""
    status = _status(task)
    counters = status.get("counters") or {}
    parts = [f"{counters.get(word, 0)} {word}" for word in _COUNTED if counters.get(word) or word in _COUNTED[:2]]
    text = f"{', '.join(parts)} since it was created"
    if status.get("activeCount"):
        text += f"; {status['activeCount']} active"
    if status.get("lastSuccessTime"):
        text += f"; last success {time_in_words(status['lastSuccessTime'])}"
    if task["spec"].get("suspend"):
        return f"{text}; suspended"
    return f"{text}; next {time_in_words(status['nextTick'])}" if status.get("nextTick") else text


def _print_table(task: Manifest, runs: list[Manifest], total: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    if not console.is_terminal:
        console.width = 100_000  # in a file or a pipe nothing is cut
    if runs:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in _COLUMNS:
            table.add_column(column, no_wrap=True, overflow="ellipsis")
        now = datetime.now(UTC)
        for run in runs:
            cells = row(run, now)
            style = _STYLES.get(cells[5], "")  # type: ignore[call-overload]
            table.add_row(
                *(
                    Text(cell, style=style if column == "OUTCOME" else "")
                    for column, cell in zip(_COLUMNS, cells, strict=True)
                )
            )
        console.print(table)
    else:
        console.print("No runs.")
    console.print()
    if total > len(runs):
        console.print(f"The latest {len(runs)} of {total} runs kept; --limit shows more.")
    console.print(Text(f"{task['metadata']['name']}: {counters_line(task)}"))


def _as_list(runs: list[Manifest]) -> Manifest:
    return {"apiVersion": "v1", "kind": "List", "items": runs}


def _status(manifest: Manifest) -> Manifest:
    status: Manifest = manifest.get("status") or {}
    return status
