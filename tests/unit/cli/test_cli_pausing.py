"""`timewright schedule:pause` of a whole schedule."""

from pathlib import Path

from tests.unit.cli.schedule_cli import run_timewright

APP = """
from timewright import Schedule
schedule = Schedule("shop")
schedule.command("ls").hourly().named("a")
schedule.command("ls").hourly().named("b").even_when_paused()
"""


def test_a_task_may_go_on_while_all_are_paused(tmp_path: Path) -> None:
    (tmp_path / "paused_app.py").write_text(APP)

    def told(*arguments: str) -> list[str]:
        ended = run_timewright(tmp_path, *arguments, TIMEWRIGHT_APP="paused_app")
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.splitlines()

    assert told("schedule:pause", "--all") == ["a: paused until it is resumed"]
    assert told("schedule:pause", "b") == ["b: paused until it is resumed"]
    assert told("schedule:resume", "--all") == ["a: resumed", "b: resumed"]
