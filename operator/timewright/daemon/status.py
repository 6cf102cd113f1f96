"""The leader's part of the TaskDaemon's status: who leads, how many tasks there are, and whether it keeps up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from timewright.cluster.api import TASK_DAEMONS, Api, ApiError
from timewright.daemon.configuration import Configuration
from timewright.daemon.leader import Leader
from timewright.decisions.history_status import history_recorded
from timewright.decisions.lagging import Lag
from timewright.resources.conditions import Condition, condition, merge_conditions
from timewright.resources.group import API_VERSION

logger = logging.getLogger(__name__)

FIELD_MANAGER = "timewright-daemon"
"""Whose this part is; the rest of the status is the operator's."""

SECONDS = 10.0
"""How often it is written, at most."""


async def tell_status(api: Api, configuration: Configuration, leader: Leader, lag_now: Callable[[], Lag]) -> None:
    """Write it whenever it has changed, until cancelled."""
    told: dict[str, object] = {}
    before: list[Condition] = []
    metadata = {"name": configuration.daemon, "namespace": configuration.namespace}
    while True:
        lag, now = lag_now(), datetime.now(UTC)
        present = [condition("Lagging", lag.lags, lag.reason, lag.message, now=now)]
        if leader.history is not None:
            present.append(history_recorded(leader.history.state(), now))
        status: dict[str, Any] = {"leader": configuration.pod_name, "tasks": len(leader.tasks)}
        news = {**status, **{each.type: each.reason for each in present}}
        if news != told:
            conditions = merge_conditions(before, present)
            body: dict[str, Any] = {"apiVersion": API_VERSION, "kind": "TaskDaemon", "metadata": metadata}
            body["status"] = {**status, "conditions": [each.to_manifest() for each in conditions]}
            if lag.lags and told.get("Lagging") != lag.reason:
                logger.warning("TaskDaemon %s lags: %s", configuration.daemon, lag.message)
            try:
                await api.apply_status(TASK_DAEMONS, body, FIELD_MANAGER)
                leader.allowance.take(1)
                told, before = news, conditions
            except (ApiError, OSError) as error:
                logger.debug("TaskDaemon %s: %s", configuration.daemon, error)
        await asyncio.sleep(SECONDS)
