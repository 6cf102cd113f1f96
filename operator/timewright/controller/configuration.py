"""The operator's settings, from the environment of its Pod."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from timewright.desired.runner_image import RunnerImage


class ConfigurationError(ValueError):
    """A setting that cannot be used: names the variable, its value and what was expected."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The operator's settings."""

    runner: RunnerImage
    daemon: RunnerImage | None = None
    """The image of TaskDaemons that name none; the runner's where this is not set."""
    namespaces: tuple[str, ...] = ()
    """Namespaces to serve; none means all."""
    operator_namespace: str = "default"
    lease_name: str = "timewright-operator"
    identity: str = "timewright-operator"
    """What this replica is called in the Lease."""
    workers: int = 16
    notify_hosts: tuple[str, ...] = ()
    """The hosts to which notices may go, see `decisions.notice_rules.is_allowed`."""
    task_metrics_limit: int = 10_000
    """Up to how many tasks there are metrics of each."""
    log_level: str = "info"
    log_format: str = "json"
    liveness_port: int = 8080
    metrics_port: int = 9090

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Configuration:
        """Read the settings.

        Raises:
            ConfigurationError: when a value cannot be used.

        """

        def value(name: str, default: str = "") -> str:
            return environment.get(f"TIMEWRIGHT_{name}") or default

        def number(name: str, default: int, least: int, most: int) -> int:
            text = value(name, str(default))
            if not text.isdecimal() or not least <= int(text) <= most:
                raise ConfigurationError(
                    f"TIMEWRIGHT_{name}: expected a whole number from {least} to {most}, got {text!r}"
                )
            return int(text)

        def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
            text = value(name, default)
            for word in allowed:
                if text.lower() == word.lower():
                    return word
            raise ConfigurationError(f"TIMEWRIGHT_{name}: expected one of {', '.join(allowed)}, got {text!r}")

        return cls(
            runner=RunnerImage(
                value("RUNNER_IMAGE", "timewright"),
                choice("RUNNER_IMAGE_PULL_POLICY", "IfNotPresent", ("Always", "IfNotPresent", "Never")),
            ),
            daemon=RunnerImage(
                value("DAEMON_IMAGE"),
                choice("DAEMON_IMAGE_PULL_POLICY", "IfNotPresent", ("Always", "IfNotPresent", "Never")),
            )
            if value("DAEMON_IMAGE")
            else None,
            namespaces=tuple(part.strip() for part in value("NAMESPACES").split(",") if part.strip()),
            operator_namespace=value("OPERATOR_NAMESPACE", "default"),
            lease_name=value("LEASE_NAME", "timewright-operator"),
            identity=environment.get("POD_NAME") or environment.get("HOSTNAME") or "timewright-operator",
            workers=number("WORKERS", 16, 1, 256),
            notify_hosts=tuple(part.strip().lower() for part in value("NOTIFY_HOSTS").split(",") if part.strip()),
            task_metrics_limit=number("TASK_METRICS_LIMIT", 10_000, 0, 1_000_000),
            log_level=choice("LOG_LEVEL", "info", ("debug", "info", "warning", "error")),
            log_format=choice("LOG_FORMAT", "json", ("json", "text")),
            liveness_port=number("LIVENESS_PORT", 8080, 1, 65535),
            metrics_port=number("METRICS_PORT", 9090, 1, 65535),
        )
