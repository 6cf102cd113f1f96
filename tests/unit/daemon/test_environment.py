"""What processes of tasks see of the daemon's environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.daemon.harness import LiveCluster, Replica, until
from timewright.resources.definition import secret_variable


async def test_a_task_sees_neither_the_secrets_of_others_nor_the_daemons_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    variable = secret_variable("shop", "token")
    monkeypatch.setenv(variable, "open sesame")
    monkeypatch.setenv("TIMEWRIGHT_STORE", "postgresql://timewright:hunter2@db/shop")
    monkeypatch.setenv("SHOP", "open")
    cluster = LiveCluster()
    command, python = tmp_path / "command", tmp_path / "python"
    cluster.daemon_task("command", command=["sh", "-c", f"env > {command}.new; mv {command}.new {command}"])
    call = {"call": "tests.unit.daemon.tasks:write_environment", "kwargs": {"path": str(python)}}
    cluster.daemon_task("python", command=None, python=call)
    async with Replica(cluster):
        seen = await until(lambda: command.exists() and python.exists() and command.read_text() + python.read_text())
    assert isinstance(seen, str)
    assert seen.count("SHOP=open\n") == 2
    assert "open sesame" not in seen
    assert variable not in seen
    assert "hunter2" not in seen
