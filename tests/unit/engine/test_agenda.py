"""The calendar of tasks, and up to when everything on it is decided."""

from __future__ import annotations

from timewright.engine.agenda import Agenda


def test_what_is_put_off_stays_undecided_until_it_is_put_somewhere() -> None:
    agenda = Agenda()
    agenda.put("a", 10)
    assert agenda.take(10) == ["a"]
    agenda.put_off("a", 15)
    assert agenda.first() == 15
    assert agenda.undecided_since("a") == 10
    assert agenda.done_until() == 9
    assert agenda.take(15) == ["a"]
    agenda.put_off("a", 17)
    assert agenda.done_until() == 9, "however often it is put off"
    agenda.put("a", 20)
    assert agenda.done_until() == 19
    assert agenda.undecided_since("a") is None


def test_what_is_looked_at_before_its_second_is_not_undecided_for_that() -> None:
    agenda = Agenda()
    agenda.put("a", 20)
    agenda.put_off("a", 12)
    assert agenda.done_until() == 11
    assert agenda.take(12) == ["a"]
    agenda.put("a", 20)
    assert agenda.done_until() == 19


def test_what_is_looked_at_while_it_is_decided_on_is_still_taken() -> None:
    agenda = Agenda()
    agenda.put("a", 10)
    agenda.take(10)
    agenda.put_off("a", 11)
    assert agenda.is_taken("a")
    assert agenda.done_until() == 9


def test_what_is_shelved_stands_nowhere_and_is_undecided() -> None:
    agenda = Agenda()
    agenda.put("a", 10)
    agenda.take(10)
    agenda.shelve("a")
    assert agenda.first() is None
    assert not agenda.is_taken("a")
    assert agenda.done_until() == 9
    agenda.put("a", None)
    assert agenda.done_until() is None
