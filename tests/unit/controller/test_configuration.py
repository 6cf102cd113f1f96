"""The operator's settings."""

from __future__ import annotations

import pytest

from timewright.controller.configuration import Configuration, ConfigurationError
from timewright.desired.runner_image import RunnerImage


def test_everything_has_a_default() -> None:
    configuration = Configuration.from_environment({})

    assert configuration.namespaces == ()
    assert (configuration.workers, configuration.log_level, configuration.log_format) == (16, "info", "json")
    assert configuration.runner.pull_policy == "IfNotPresent"
    assert configuration.daemon is None


def test_everything_can_be_set() -> None:
    configuration = Configuration.from_environment(
        {
            "TIMEWRIGHT_RUNNER_IMAGE": "registry.example/timewright:1",
            "TIMEWRIGHT_RUNNER_IMAGE_PULL_POLICY": "Always",
            "TIMEWRIGHT_DAEMON_IMAGE": "registry.example/daemon:1",
            "TIMEWRIGHT_DAEMON_IMAGE_PULL_POLICY": "Never",
            "TIMEWRIGHT_NAMESPACES": " shop, , billing,",
            "TIMEWRIGHT_OPERATOR_NAMESPACE": "timewright",
            "TIMEWRIGHT_LEASE_NAME": "other",
            "TIMEWRIGHT_WORKERS": "4",
            "TIMEWRIGHT_LOG_LEVEL": "DEBUG",
            "TIMEWRIGHT_LOG_FORMAT": "text",
            "TIMEWRIGHT_METRICS_PORT": "9191",
            "POD_NAME": "operator-1",
        }
    )

    assert configuration.runner.image == "registry.example/timewright:1"
    assert configuration.daemon == RunnerImage("registry.example/daemon:1", "Never")
    assert configuration.namespaces == ("shop", "billing")
    assert (configuration.operator_namespace, configuration.lease_name) == ("timewright", "other")
    assert (configuration.workers, configuration.log_level, configuration.metrics_port) == (4, "debug", 9191)
    assert configuration.identity == "operator-1"


def test_an_empty_value_is_none() -> None:
    assert Configuration.from_environment({"TIMEWRIGHT_WORKERS": "", "TIMEWRIGHT_LOG_LEVEL": ""}).workers == 16


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("WORKERS", "0", "from 1 to 256"),
        ("WORKERS", "257", "from 1 to 256"),
        ("WORKERS", "-3", "from 1 to 256"),
        ("WORKERS", "2.5", "from 1 to 256"),
        ("WORKERS", "many", "from 1 to 256"),
        ("LIVENESS_PORT", "70000", "from 1 to 65535"),
        ("METRICS_PORT", "http", "from 1 to 65535"),
        ("LOG_LEVEL", "loud", "one of debug, info, warning, error"),
        ("LOG_FORMAT", "xml", "one of json, text"),
        pytest.param(
            "RUNNER_IMAGE_PULL_POLICY",
            "Sometimes",
            "one of Always, IfNotPresent, Never",
        ),
    ],
)
def test_a_wrong_value_is_told_with_the_variable_and_what_was_expected(name: str, value: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        Configuration.from_environment({f"TIMEWRIGHT_{name}": value})

    assert str(error.value).startswith(f"TIMEWRIGHT_{name}: ")
    assert value in str(error.value)
    assert expected in str(error.value)
