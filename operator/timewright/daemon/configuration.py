"""The daemon's settings, from the environment of its Pod; see `resources.daemon_settings`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from timewright.decisions.policies_of_spec import NO_SLOTS
from timewright.desired.names import daemon_object_name
from timewright.desired.runner_image import RunnerImage
from timewright.resources import daemon_settings as names
from timewright.resources.task_daemon import DEFAULT_DAEMON


class ConfigurationError(ValueError):
    """A setting that cannot be used: names the variable, its value and what was expected."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings of one replica."""

    namespace: str
    """The namespace whose tasks it starts."""
    daemon: str
    """The name of the TaskDaemon."""
    pod_name: str
    runner: RunnerImage
    """The image of Jobs for tasks that name none."""
    lease_seconds: int = 10
    drain_seconds: float = 45.0
    """How long runs may go on once the process is asked to end."""
    processes: int = 32
    """How many runs that take a process or a connection are active at once."""
    most_jobs: int | None = None
    """How many Jobs there are at once; None where that is not limited."""
    writes_per_minute: int = 600
    lock_slots: Mapping[str, int] = field(default_factory=lambda: NO_SLOTS)
    """Of locks that several runs may hold at once, how many."""
    store: str | None = field(default=None, repr=False)
    """The connection string of the database for the full history, if there is one. It holds a password."""
    store_source: str | None = None
    """Where that is to come from, as NAME/KEY of a Secret."""
    history_max_age: int | None = None
    """How many seconds runs are kept there; None for ever."""
    task_metrics_limit: int = 1_000
    """Up to how many tasks there are metrics of each."""
    probes_port: int = names.PROBES_PORT
    metrics_port: int = names.METRICS_PORT
    log_level: str = "info"
    log_format: str = "json"

    @property
    def lease_name(self) -> str:
        """The name of the Lease."""
        return daemon_object_name(self.daemon)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Configuration:
        """Read the settings; raises ConfigurationError when a value cannot be used."""

        def required(name: str) -> str:
            value = environment.get(name)
            if not value:
                raise ConfigurationError(f"{name}: required; the Deployment that the operator makes sets it")
            return value

        def number(name: str, default: int, least: int, most: int) -> int:
            text = environment.get(name) or str(default)
            if not text.isdecimal() or not least <= int(text) <= most:
                raise ConfigurationError(f"{name}: expected a whole number from {least} to {most}, got {text!r}")
            return int(text)

        def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
            text = environment.get(name) or default
            for word in allowed:
                if text.lower() == word.lower():
                    return word
            raise ConfigurationError(f"{name}: expected one of {', '.join(allowed)}, got {text!r}")

        termination = number(names.TERMINATION_GRACE_PERIOD_SECONDS, 60, 1, 86400)
        return cls(
            namespace=required(names.NAMESPACE),
            daemon=environment.get(names.DAEMON) or DEFAULT_DAEMON,
            pod_name=environment.get(names.POD_NAME) or environment.get("HOSTNAME") or "timewright-daemon",
            runner=RunnerImage(
                environment.get(names.RUNNER_IMAGE) or "timewright",
                choice(names.RUNNER_IMAGE_PULL_POLICY, "IfNotPresent", ("Always", "IfNotPresent", "Never")),
            ),
            lease_seconds=number(names.LEASE_DURATION_SECONDS, 10, 4, 300),
            # What is left of the Pod's grace period is for records, and for the Lease.
            drain_seconds=max(0.5, 0.75 * termination),
            processes=number(names.MAX_CONCURRENT_RUNS, 16 * (os.cpu_count() or 1), 1, 100_000),
            most_jobs=number(names.MAX_CONCURRENT_JOBS, 0, 0, 100_000) or None,
            writes_per_minute=number(names.API_WRITES_PER_MINUTE, 600, 10, 60_000),
            lock_slots=_slots(environment.get(names.LOCKS) or "{}"),
            store=environment.get(names.STORE) or None,
            store_source=environment.get(names.STORE_SOURCE) or None,
            history_max_age=number(names.HISTORY_MAX_AGE_SECONDS, 0, 0, 10**10) or None,
            task_metrics_limit=number("TIMEWRIGHT_TASK_METRICS_LIMIT", 1_000, 0, 1_000_000),
            probes_port=number("TIMEWRIGHT_PROBES_PORT", names.PROBES_PORT, 1, 65535),
            metrics_port=number("TIMEWRIGHT_METRICS_PORT", names.METRICS_PORT, 1, 65535),
            log_level=choice("TIMEWRIGHT_LOG_LEVEL", "info", ("debug", "info", "warning", "error")),
            log_format=choice("TIMEWRIGHT_LOG_FORMAT", "json", ("json", "text")),
        )


def _slots(text: str) -> Mapping[str, int]:
    try:
        slots = json.loads(text)
    except ValueError:
        slots = None
    if not isinstance(slots, dict) or not all(type(count) is int and count > 0 for count in slots.values()):
        expected = 'expected numbers of slots by the names of locks, such as {"warehouse": 2}'
        raise ConfigurationError(f"{names.LOCKS}: {expected}, got {text!r}")
    return slots
