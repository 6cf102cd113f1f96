"""What a new leader knows of runs that ended shortly before the one before was killed."""

from __future__ import annotations

from timewright.resources.vocabulary import Outcome
from timewright.storage.kubernetes.inherited import SECONDS, ended_lately
from timewright.storage.kubernetes.journal import Account, Journal
from timewright.storage.kubernetes.takeover import Timing, Told
from timewright.timetable.ticks import Ticks

WELL, BADLY = Outcome.SUCCEEDED, Outcome.FAILED


class Every:
    """A tick each so many seconds."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def first_from(self, instant: int) -> int | None:
        return -(-instant // self.seconds) * self.seconds

    def last_until(self, instant: int) -> int | None:
        return instant // self.seconds * self.seconds

    def count(self, start: int, end: int) -> int:
        return len(range(-(-start // self.seconds) * self.seconds, end, self.seconds))


EVERY_TWO: Ticks = Every(2)
TIMING = Timing("id", EVERY_TWO)
TOLD = Told(0, 1_000, 7, "id")


def account(**fields: object) -> Account:
    return Account(**{"base": 7, "until": 2_000, "schedule_id": "id", **fields})  # type: ignore[arg-type]


def test_what_the_rule_says_it_says_of_each_tick() -> None:
    ended = ended_lately(TOLD, Journal(2_004, 2_000), None, TIMING, {})
    assert ended == dict.fromkeys(range(2000 - SECONDS + 2, 2001, 2), WELL)


def test_nothing_before_the_watermark_of_the_status() -> None:
    assert set(ended_lately(TOLD, Journal(1_006, 1_004), None, TIMING, {})) == {1_002, 1_004}
    assert ended_lately(TOLD, Journal(), None, TIMING, {}) == {}


def test_of_a_task_whose_runs_ended_differently_task_runs_tell_which() -> None:
    journal = Journal(2_000, 2_000)
    both = account(counts={WELL: 3, BADLY: 1}, claimed=(1_996,))
    assert ended_lately(TOLD, journal, both, TIMING, {1_998: BADLY}) == {
        1_992: WELL,
        1_994: WELL,
        1_998: BADLY,
        2_000: WELL,
    }
    assert ended_lately(TOLD, journal, both, TIMING, {}) == {}, "nobody can tell which of them it was"


def test_an_account_that_a_status_has_overtaken_tells_nothing() -> None:
    old = account(base=6, until=1_000, counts={BADLY: 5}, claimed=(2_000,))
    assert ended_lately(TOLD, Journal(2_000, 2_000), old, TIMING, {}) != {}


def test_an_account_that_is_newer_than_the_status_of_a_deposed_leader_leaves_nothing_certain() -> None:
    newer = account(base=6, until=1_500, counts={BADLY: 5}, claimed=(2_000,))
    assert ended_lately(TOLD, Journal(2_000, 2_000), newer, TIMING, {}) == {}


def test_a_long_run_that_a_status_lists_and_the_lease_does_not_has_ended() -> None:
    told = Told(0, 1_000, 7, "id", claimed=(500,))
    assert ended_lately(told, Journal(2_000, 2_000), None, TIMING, {})[500] is WELL
    assert ended_lately(told, Journal(2_000, 2_000), None, TIMING, {500: BADLY})[500] is BADLY


def test_what_is_suspended_or_has_another_schedule_by_now_has_ended_no_ticks() -> None:
    journal = Journal(2_000, 2_000)
    assert ended_lately(Told(0, 1_000, 7, "id", suspended=True), journal, None, TIMING, {}) == {}
    assert ended_lately(TOLD, journal, None, Timing("other", EVERY_TWO), {}) == {}
    assert ended_lately(Told(0, 1_000), journal, None, TIMING, {}) == {}, "handed over, and nobody has begun"
    held = account(until=1_500, suspended=True)
    assert max(ended_lately(TOLD, journal, held, TIMING, {})) == 1_500
