"""The daemon's settings."""

from __future__ import annotations

import pytest

from timewright.daemon.configuration import Configuration, ConfigurationError

GIVEN = {"TIMEWRIGHT_NAMESPACE": "shop", "POD_NAME": "pod-1"}


def test_what_the_deployment_says_is_read() -> None:
    configuration = Configuration.from_environment(
        {
            **GIVEN,
            "TIMEWRIGHT_DAEMON": "fast",
            "TIMEWRIGHT_LEASE_DURATION_SECONDS": "20",
            "TIMEWRIGHT_TERMINATION_GRACE_PERIOD_SECONDS": "40",
            "TIMEWRIGHT_MAX_CONCURRENT_RUNS": "7",
            "TIMEWRIGHT_API_WRITES_PER_MINUTE": "100",
            "TIMEWRIGHT_LOCKS": '{"till":2}',
            "TIMEWRIGHT_RUNNER_IMAGE": "runner:1",
        }
    )
    assert configuration.lease_name == "timewright-daemon-fast"
    assert (configuration.lease_seconds, configuration.processes, configuration.writes_per_minute) == (20, 7, 100)
    assert 0 < configuration.drain_seconds < 40
    assert configuration.runner.image == "runner:1"
    assert configuration.lock_slots == {"till": 2}


def test_all_but_the_namespace_has_a_default() -> None:
    configuration = Configuration.from_environment(GIVEN)
    assert (configuration.daemon, configuration.lease_seconds) == ("default", 10)
    with pytest.raises(ConfigurationError, match="TIMEWRIGHT_NAMESPACE: required"):
        Configuration.from_environment({})


@pytest.mark.parametrize("value", ["3", "301", "ten", "-5"])
def test_what_cannot_be_used_is_told_with_what_was_expected(value: str) -> None:
    with pytest.raises(ConfigurationError, match=r"TIMEWRIGHT_LEASE_DURATION_SECONDS: .* from 4 to 300"):
        Configuration.from_environment({**GIVEN, "TIMEWRIGHT_LEASE_DURATION_SECONDS": value})


@pytest.mark.parametrize("value", ["2", "{", '{"till": 0}', '{"till": true}'])
def test_slots_that_are_no_numbers_are_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="TIMEWRIGHT_LOCKS: expected numbers of slots by the names of locks"):
        Configuration.from_environment({**GIVEN, "TIMEWRIGHT_LOCKS": value})
