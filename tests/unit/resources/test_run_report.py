"""The runner's report through the termination message, of which the kubelet keeps 4096 bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timewright.resources.run_report import MAXIMUM_BYTES, RunReport
from timewright.resources.vocabulary import Outcome

instants = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=st.just(UTC),
).map(lambda instant: instant.replace(microsecond=0))

long_text = st.one_of(
    st.text(max_size=50),
    st.builds(lambda unit, times: unit * times, st.text(min_size=1, max_size=5), st.integers(0, 4000)),
    st.sampled_from(["\x00" * 5000, "\\" * 5000, '"' * 5000, "𝄞" * 3000, "\u2028" * 3000, "\n" * 9000]),
)
reasons = st.from_regex(r"\A[A-Z][A-Za-z0-9]{0,255}\Z")

reports = st.builds(
    RunReport,
    outcome=st.sampled_from(Outcome),
    reason=reasons,
    message=long_text,
    exit_code=st.none() | st.integers(-(2**31), 2**31 - 1),
    start_time=st.none() | instants,
    completion_time=st.none() | instants,
    output=long_text,
)


@given(reports)
def test_a_report_always_fits_into_a_termination_message(report: RunReport) -> None:
    assert len(report.to_termination_message().encode()) <= MAXIMUM_BYTES


@given(reports)
def test_a_report_reads_back_with_its_texts_shortened_at_most(report: RunReport) -> None:
    back = RunReport.from_termination_message(report.to_termination_message())

    assert back is not None
    assert back.model_copy(update={"message": "", "output": ""}) == report.model_copy(
        update={"message": "", "output": ""}
    )
    for kept, whole in ((back.message, report.message), (back.output, report.output)):
        assert kept == whole or (kept[0] == "…" and whole.endswith(kept[1:]))


@given(reports.filter(lambda report: len(report.message) + len(report.output) < 300))
def test_a_short_report_loses_nothing(report: RunReport) -> None:
    assert RunReport.from_termination_message(report.to_termination_message()) == report


def test_a_long_output_keeps_its_end_where_the_error_is() -> None:
    report = RunReport(outcome=Outcome.FAILED, reason="Exception", output="noise\n" * 2000 + "ValueError: 7")

    back = RunReport.from_termination_message(report.to_termination_message())

    assert back is not None
    assert back.output.endswith("noise\nValueError: 7")
    assert len(back.output.encode()) > 2000


@given(st.text(max_size=300) | st.none())
def test_any_other_text_is_no_report(text: str | None) -> None:
    assert RunReport.from_termination_message(text) is None


GARBAGE = [
    "",
    "{}",
    "null",
    "{",
    "]",
    '"outcome":"Succeeded"}',
    '"outcome":"Succeeded","reason":""}',
    '"outcome":"Succeeded","reason":"two words"}',
    f'"outcome":"Failed","reason":"{"R" * 257}"}}',
    '"outcome":"Splendid","reason":"Completed"}',
    '"outcome":"Failed","reason":"X","exitCode":99999999999999999999}',
    '"outcome":"Failed","reason":"X","exitCode":"one"}',
    '"outcome":"Failed","reason":"X","startTime":"yesterday"}',
    '"outcome":"Failed","reason":"X","startTime":"0001-01-01T00:00:00+01:00"}',
    '"outcome":"Failed","reason":"X","output":["a"]}',
    "[" * 100_000,
]


@pytest.mark.parametrize("rest", GARBAGE, ids=lambda rest: rest[:40] or "nothing")
def test_a_spoilt_report_is_no_report(rest: str) -> None:
    assert RunReport.from_termination_message('{"timewright":1,' + rest) is None


def test_what_a_newer_runner_adds_is_passed_over() -> None:
    text = '{"timewright":1,' + json.dumps({"outcome": "Succeeded", "reason": "Completed", "cost": 3})[1:]

    back = RunReport.from_termination_message(text)

    assert back == RunReport(outcome=Outcome.SUCCEEDED, reason="Completed")
