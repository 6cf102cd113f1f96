"""The TaskDaemon of a namespace whose tasks name none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from timewright.desired import names
from timewright.resources.model import API_VERSION
from timewright.resources.task_daemon import DEFAULT_DAEMON


def build_default_daemon(namespace: str) -> dict[str, Any]:
    """Return the TaskDaemon, marked as made by the operator, which therefore removes it when no task needs it."""
    metadata = {"name": DEFAULT_DAEMON, "namespace": namespace, "labels": {names.MANAGED_BY_LABEL: "timewright"}}
    return {"apiVersion": API_VERSION, "kind": "TaskDaemon", "metadata": metadata, "spec": {}}


def is_made_by_operator(labels: Mapping[str, str]) -> bool:
    """Tell by its labels whether a TaskDaemon is the operator's, so that it may go again."""
    return labels.get(names.MANAGED_BY_LABEL) == "timewright"
