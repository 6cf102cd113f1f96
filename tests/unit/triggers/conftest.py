"""A schedule whose tasks write down that they ran, and a store that outlives a call."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from timewright import Schedule, current_run


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{tmp_path}/state.db"
    monkeypatch.setenv("TIMEWRIGHT_STORE", url)
    return url


@pytest.fixture
def ran() -> list[str]:
    """What has run, by name and nominal minute, in the order of the ends."""
    return []


@pytest.fixture
def schedule(ran: list[str]) -> Schedule:
    made = Schedule("shop")

    @made.task("* * * * *", name="sync")
    def sync(since: str = "yesterday") -> None:
        ran.append(f"sync {current_run().scheduled_at:%H:%M} since {since}")
        print("synced")

    @made.task("0 3 * * *", name="report")
    async def report() -> None:
        ran.append("report")

    return made


@pytest.fixture
def minute() -> Iterator[datetime]:
    """A minute that is past, at which `report` is not due."""
    now = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=2)
    return now - timedelta(minutes=1) if (now.hour, now.minute) == (3, 0) else now


@pytest.fixture
def forgetting_shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a test import a module `shop` of its own from the present folder."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    sys.modules.pop("shop", None)
    yield
    sys.modules.pop("shop", None)


def rfc3339(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
