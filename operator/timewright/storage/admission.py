"""Which changes of a batch can be made, given what is stored. Pure, and the same for every database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from timewright.storage.records import Change


def keyed_runs(changes: Sequence[Change]) -> list[tuple[str, str, str]]:
    """Return task, idempotency key and run id of the runs that have such a key."""
    return [
        (run.task, run.idempotency_key, run.run_id)
        for change in changes
        for run in change.runs
        if run.idempotency_key is not None
    ]


def admit(
    changes: Sequence[Change], versions: Mapping[str, int], taken: Collection[tuple[str, str]] = ()
) -> list[bool]:
    """Tell of each change whether it can be made.

    `versions` are those of the tasks that are stored, `taken` the pairs of task and idempotency key of which another
    run is stored than the one that has it here. Of two changes of one task, or two runs with one key, the first counts.
    """
    changed: set[str] = set()
    used = set(taken)
    admitted = []
    for change in changes:
        is_possible = change.task not in changed and versions.get(change.task, 0) == change.version
        if is_possible:
            keys = [(run.task, run.idempotency_key) for run in change.runs if run.idempotency_key is not None]
            if keys:
                is_possible = used.isdisjoint(keys) and len(keys) == len(set(keys))
                used.update(keys if is_possible else ())
        if is_possible:
            changed.add(change.task)
        admitted.append(is_possible)
    return admitted
