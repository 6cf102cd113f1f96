"""The report reaches the kubelet, and failing to leave it changes nothing."""

from pathlib import Path

from timewright.resources.run_report import RunReport
from timewright.resources.vocabulary import Outcome
from timewright.runner.report import write_report

REPORT = RunReport(outcome=Outcome.SUCCEEDED, reason="Completed", output="x" * 20_000)


def test_written(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("old" * 5000)
    assert write_report(REPORT, path) is None
    read = RunReport.from_termination_message(path.read_text())
    assert read is not None
    assert read.outcome is Outcome.SUCCEEDED


def test_without_a_kubelet_no_file_is_made(tmp_path: Path) -> None:
    assert write_report(REPORT, tmp_path / "log") is None
    assert not list(tmp_path.iterdir())


def test_not_writable(tmp_path: Path) -> None:
    problem = write_report(REPORT, tmp_path)
    assert problem == f"cannot write the report to {tmp_path}: Is a directory"
