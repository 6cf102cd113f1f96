from __future__ import annotations

import logging

import pytest

from timewright.cluster.logs import set_up_logging


@pytest.fixture(autouse=True)
def _as_before() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.mark.parametrize("level", ["debug", "info"])
@pytest.mark.parametrize("library", ["httpx", "httpcore.connection"])
def test_the_http_client_logs_no_urls_which_may_hold_secrets(level: str, library: str) -> None:
    set_up_logging(level, "text")
    assert not logging.getLogger(library).isEnabledFor(logging.INFO)
