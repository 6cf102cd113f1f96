"""What both stores share and what needs no database."""

import json
from dataclasses import replace

import hypothesis
import pytest
from hypothesis import strategies

from tests.storage.making import change, ended, run
from timewright.resources.vocabulary import Outcome
from timewright.storage import columns
from timewright.storage.admission import admit
from timewright.storage.postgresql.errors import shown
from timewright.storage.records import RunRecord


def test_versions_decide_what_is_admitted() -> None:
    changes = [change(0, task="new"), change(3, task="known"), change(2, task="old"), change(1, task="unknown")]
    assert admit(changes, {"known": 3, "old": 3}) == [True, True, False, False]


def test_a_key_that_is_taken_is_not_given_again() -> None:
    def keyed(task: str, key: str) -> RunRecord:
        return run(task=task, run_id=f"{task} {key}", idempotency_key=key)

    changes = [
        change(0, keyed("a", "k"), task="a"),
        change(0, keyed("b", "k"), task="b"),
        change(0, keyed("c", "k"), task="c"),
    ]
    assert admit(changes, {}, [("b", "k")]) == [True, False, True]


def test_a_change_that_is_refused_uses_up_no_key() -> None:
    late = change(7, run(run_id="late", idempotency_key="k"))
    assert admit([late, change(0, run(run_id="in time", idempotency_key="k"))], {}) == [False, True]


@hypothesis.given(strategies.text(alphabet=strategies.characters(exclude_categories=[])))
def test_any_text_becomes_one_that_can_be_stored(text: str) -> None:
    stored = columns.text(text)
    assert "\0" not in stored
    assert json.loads(json.dumps(stored).encode("utf-8")) == stored
    assert len(stored) == len(text)
    if text.isprintable() and text.isascii():
        assert stored == text


def test_a_run_survives_its_columns() -> None:
    whole = replace(
        ended(outcome=Outcome.FAILED, exit_code=1, output="o", attempts=[{"exitCode": 2}], peak_memory_bytes=3),
        parameters={"a": 1},
        idempotency_key="k",
        host="h",
        cancel_requested=True,
    )
    for each in (whole, run(), ended()):
        assert columns.run_of(each.task, columns.run_values(each)) == each
    assert len(columns.run_values(whole)) == len(columns.RUN)
    assert len(columns.result_values(whole)) == len(columns.RESULT)


def test_what_is_counted_adds_up() -> None:
    runs = [ended(100), ended(50, outcome=Outcome.FAILED), ended(70)]
    without_records = columns.counted_without_records({Outcome.MISSED: 4, Outcome.FAILED: 1})
    together = columns.counted_together([*(columns.counted(each, 0) for each in runs), without_records])
    assert {name: value for name, value in zip(columns.COUNTED, together, strict=True) if value} == {
        "succeeded": 2,
        "failed": 2,
        "missed": 4,
        "last_success_at": 101,
        "last_outcome": "Succeeded",
        "last_finished_at": 101,
    }
    with pytest.raises(ValueError, match="has no outcome"):
        columns.counted(run(), 0)


_SECRET = "hunter2"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://db/tasks", "postgresql://db/tasks"),
        ("postgresql://ada@db/tasks", "postgresql://ada@db/tasks"),
        ("postgresql://ada:hunter2@db:5432/tasks?sslmode=require", "postgresql://ada@db:5432/tasks"),
        ("postgresql:///tasks?host=/run/postgresql&password=hunter2", "postgresql:///tasks"),
        ("postgresql://a,b:5433/tasks", "postgresql://a,b:5433/tasks"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, expected: str) -> None:
    assert shown(url) == expected


@hypothesis.given(strategies.text("/?&@:=%#a", max_size=4), strategies.text("/?&@:=%#a", max_size=4))
def test_no_misspelling_shows_a_password(before: str, after: str) -> None:
    assert _SECRET not in shown(f"postgresql://ada:{before}{_SECRET}{after}@db/tasks")
    assert _SECRET not in shown(f"postgresql://db/tasks?user=ada&password={before}{_SECRET}{after}")
