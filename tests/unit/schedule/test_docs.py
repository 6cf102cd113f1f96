"""The code of `docs/python.md` does what the page says."""

import asyncio
import re
import smtplib
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from timewright import Schedule

PAGE = Path(__file__).parents[3] / "docs" / "python.md"
FUNCTIONS = """
    send_emails is_open is_holiday is_in_maintenance check_uptime fetch_prices render_catalogue prepare clean_up
    celebrate
"""
FIRST, *BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def names() -> dict[str, Any]:
    """Return what the page takes for granted: the schedule of its first block, and functions of the application."""
    made: dict[str, Any] = {}
    for name in FUNCTIONS.split():
        exec(f"def {name}(*args, **kwargs): pass", made)
    made |= {"asyncio": asyncio, "smtplib": smtplib, "EmailMessage": EmailMessage}
    made |= {"url": "https://example.com/ping", "is_production": True}
    return made


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_a_block_of_code(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMEWRIGHT_ENVIRONMENT", "production")
    monkeypatch.setenv("TIMEWRIGHT_STORE", "memory:")
    namespace = names()
    exec(FIRST, namespace)

    exec(block, namespace)

    if "run_now" in block:
        assert namespace["run"].outcome == "Succeeded"
    schedule = namespace["schedule"]
    assert isinstance(schedule, Schedule)
    schedule.tasks()


def test_the_page_s_error_is_the_one_that_is_raised(tmp_path: Path) -> None:
    (told,) = re.findall(r"^DeclarationError: tasks.py:12: (.*)$", PAGE.read_text(), re.MULTILINE)

    with pytest.raises(ValueError, match=re.escape(told)):
        Schedule("shop").daily_at("25:00")


def test_the_page_names_every_frequency() -> None:
    from timewright.schedule.frequencies import Frequencies

    listed = set(re.findall(r"`(\w+)\(", PAGE.read_text()))

    assert {name for name in vars(Frequencies) if not name.startswith("_")} - listed == set()
