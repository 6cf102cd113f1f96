"""What a new leader makes of what the one before has left."""

from __future__ import annotations

import pytest

from timewright.decisions.task_state import OpenPhase
from timewright.resources.vocabulary import Outcome
from timewright.storage.kubernetes.journal import Account, Journal, Since, encode, from_annotations, to_annotations
from timewright.storage.kubernetes.takeover import MOST_UNPROVEN, NOT_ACCEPTED, Taken, Timing, Told, take_over
from timewright.timetable import parse
from timewright.timetable.jitter import Jittered, start_of

TEN = Timing("ten", parse("*/10 * * * * *").ticks)
"""Ticks at 0, 10, 20 … seconds."""

FIVE = Timing("five", parse("*/5 * * * * *").ticks)
STATUS = Told(created_at=0, watermark=100, revision=3, schedule_id="ten", timing=TEN)
LEASE = Journal(watermark=160, proven=140)


def taken(
    told: Told = STATUS,
    journal: Journal = LEASE,
    present: Timing | None = TEN,
    recorded: dict[int, Outcome] | None = None,
) -> Taken:
    account = journal.accounts.get("task")
    return take_over(told, journal, account, present, recorded or {}, lambda tick: f"run-{tick}")


def with_account(**more: object) -> Journal:
    given: dict[str, object] = {"base": 3, "until": 130, "schedule_id": "ten", **more}
    return Journal(160, 140, {"task": Account(**given)})  # type: ignore[arg-type]


def unproven(result: Taken) -> list[int]:
    return [run.scheduled_at for run in result.state.open_runs if not run.proven]


def queued(result: Taken) -> list[int]:
    return [run.scheduled_at for run in result.state.open_runs if run.phase is OpenPhase.QUEUED]


def test_what_is_proven_has_succeeded_and_what_is_only_claimed_is_unproven() -> None:
    result = taken()
    assert result.counts == {Outcome.SUCCEEDED: 4}
    assert unproven(result) == [150, 160]
    assert result.state.watermark == 160
    assert result.told_by_rule


def test_without_a_lease_everything_after_the_status_is_still_to_be_decided() -> None:
    result = taken(journal=Journal())
    assert (result.state.watermark, result.counts, unproven(result)) == (100, {}, [])


def test_a_task_without_a_status_is_decided_from_its_creation() -> None:
    result = taken(Told(created_at=110))
    assert result.counts == {Outcome.SUCCEEDED: 3}
    assert unproven(result) == [150, 160]


def test_a_task_made_after_the_last_claim_is_new() -> None:
    result = taken(Told(created_at=200))
    assert (result.state.watermark, result.counts, unproven(result)) == (200, {}, [])


def test_what_a_task_run_tells_is_not_lost() -> None:
    result = taken(recorded={150: Outcome.FAILED})
    assert result.counts == {Outcome.SUCCEEDED: 4, Outcome.FAILED: 1}
    assert unproven(result) == [160]


def test_an_account_tells_what_the_rule_gets_wrong() -> None:
    result = taken(journal=with_account(counts={Outcome.FAILED: 2, Outcome.SUCCEEDED: 1}))
    assert result.counts == {Outcome.FAILED: 2, Outcome.SUCCEEDED: 1 + 1}
    assert unproven(result) == [150, 160]
    assert not result.told_by_rule


def test_an_account_is_void_once_the_status_tells_the_same() -> None:
    result = taken(journal=with_account(base=2, until=100, counts={Outcome.FAILED: 2}))
    assert result.counts == {Outcome.SUCCEEDED: 4}


def test_an_account_still_holds_for_what_happened_while_the_status_was_on_its_way() -> None:
    told = Told(0, 100, 3, "ten", TEN, since=Since(2, {Outcome.FAILED: 2, Outcome.SUCCEEDED: 5}))
    counts = {Outcome.FAILED: 3, Outcome.SUCCEEDED: 5}
    fields = {"base": 2, "until": 140, "counts": counts, "claimed": (90,), "queued": (140,), "on_its_way": 3}
    result = taken(told, journal=with_account(**fields))
    assert result.counts == {Outcome.FAILED: 1}
    assert (unproven(result), queued(result)) == ([90, 150, 160], [140])


def test_what_a_status_tells_that_came_late_is_taken_back_where_the_lease_tells_otherwise() -> None:
    told = Told(0, 110, 3, "ten", TEN, claimed=(100,), since=Since(2, {Outcome.SUCCEEDED: 4, Outcome.FAILED: 1}))
    account = Account(2, 140, {Outcome.SUCCEEDED: 7, Outcome.LOST: 2}, (140,), schedule_id="ten")
    result = taken(told, journal=Journal(150, 140, {"task": account}, step=2))
    assert result.counts == {Outcome.SUCCEEDED: 3, Outcome.FAILED: -1, Outcome.LOST: 2}
    assert unproven(result) == [140, 150]


def test_an_account_is_void_beside_a_status_that_its_own_leader_has_written_since() -> None:
    told = Told(0, 110, 3, "ten", TEN, since=Since(2, {Outcome.FAILED: 1}))
    account = Account(2, 105, {}, (100,), schedule_id="ten")
    result = taken(told, journal=Journal(110, 105, {"task": account}, step=1))
    assert (result.counts, unproven(result)) == ({}, [])


def test_nothing_counts_as_succeeded_beside_a_status_that_a_deposed_leader_wrote() -> None:
    result = taken(journal=with_account(base=2, counts={Outcome.FAILED: 2}))
    assert result.counts == {}
    assert unproven(result) == [110, 120, 130, 140, 150, 160]


def test_an_outcome_that_a_task_run_tells_is_told_by_the_lease_as_well_unless_it_is_success() -> None:
    assert not taken(recorded={150: Outcome.FAILED}).told_by_rule
    assert taken(recorded={150: Outcome.SUCCEEDED}).told_by_rule


def test_long_runs_and_those_that_wait_keep_their_places() -> None:
    result = taken(journal=with_account(counts={Outcome.SUCCEEDED: 1}, claimed=(110,), queued=(120,)))
    assert unproven(result) == [110, 150, 160]
    assert queued(result) == [120]
    assert result.counts == {Outcome.SUCCEEDED: 2}


def test_a_run_that_the_status_tells_as_open_has_succeeded_if_the_lease_does_not_tell_of_it() -> None:
    told = Told(created_at=0, watermark=100, revision=3, schedule_id="ten", timing=TEN, claimed=(90,), queued=(100,))
    result = taken(told)
    assert result.counts == {Outcome.SUCCEEDED: 4 + 2}
    assert unproven(result) == [150, 160]


def test_a_run_that_the_status_tells_as_open_is_unproven_if_the_status_is_newer_than_the_lease() -> None:
    told = Told(created_at=0, watermark=150, revision=4, schedule_id="ten", timing=TEN, claimed=(150,), queued=(140,))
    result = taken(told, journal=Journal(160, 130, {}))
    assert unproven(result) == [140, 150, 160], "one that waited may have been started"
    assert queued(result) == []


@pytest.mark.parametrize(
    "journal",
    [
        with_account(base=3, until=140, queued=(140,)),
        with_account(base=3, until=130),
        Journal(130, 130, {}),
    ],
    ids=["the Lease told so last", "the Lease told of it never", "nothing was claimed since"],
)
def test_a_run_that_waited_when_the_status_was_written_waits_on_if_the_lease_was_not_written_since(
    journal: Journal,
) -> None:
    told = Told(created_at=0, watermark=150, revision=4, schedule_id="ten", timing=TEN, queued=(140,))
    result = taken(told, journal=journal)
    assert queued(result) == [140]
    assert 140 not in unproven(result)


def test_a_run_that_was_started_while_the_status_was_written_waits_no_longer() -> None:
    told = Told(created_at=0, watermark=150, revision=4, schedule_id="ten", timing=TEN, queued=(140,))
    result = taken(told, journal=with_account(base=3, until=145, claimed=(140,)))
    assert queued(result) == []
    assert 140 in unproven(result)


@pytest.mark.parametrize(
    ("told", "present"),
    [
        (Told(created_at=0, watermark=100, revision=3, schedule_id="ten", timing=TEN, suspended=True), TEN),
        (Told(created_at=0, watermark=100, revision=3, schedule_id=NOT_ACCEPTED), TEN),
    ],
    ids=["suspended", "refused"],
)
def test_what_nobody_decided_on_stays_undecided(told: Told, present: Timing) -> None:
    result = taken(told, present=present)
    assert (result.state.watermark, result.counts, unproven(result)) == (100, {}, [])
    assert result.state.suspended is told.suspended


def test_a_task_that_was_resumed_before_its_status_could_tell_is_no_longer_held() -> None:
    told = Told(created_at=0, watermark=100, revision=3, schedule_id="ten", timing=TEN, suspended=True)
    result = taken(told, journal=with_account(counts={Outcome.SKIPPED: 2}))
    assert result.counts == {Outcome.SKIPPED: 2, Outcome.SUCCEEDED: 1}
    assert not result.state.suspended


def test_ticks_are_those_of_the_schedule_that_they_were_decided_by() -> None:
    result = taken(present=FIVE)
    assert result.counts == {Outcome.SUCCEEDED: 4}
    assert unproven(result) == [150, 160]
    assert result.state.schedule_id == "ten", "so that the next decision sees the change"


def test_a_change_of_schedule_that_was_decided_on_is_told_by_the_account() -> None:
    result = taken(journal=with_account(schedule_id="five", counts={Outcome.SUCCEEDED: 4}), present=FIVE)
    assert result.counts == {Outcome.SUCCEEDED: 4 + 2}
    assert unproven(result) == [145, 150, 155, 160]


def test_what_was_handed_over_and_no_leader_has_told_of_is_still_to_be_decided() -> None:
    result = taken(Told(created_at=0, watermark=130))
    assert (result.state.watermark, result.counts, unproven(result)) == (130, {}, [])


def test_what_was_handed_over_when_not_all_could_be_told_may_have_been_started() -> None:
    result = taken(Told(created_at=0, watermark=140), journal=Journal(160, 130, {}))
    assert (result.counts, unproven(result)) == ({}, [150, 160])


def test_what_was_handed_over_and_begun_is_told_by_its_account() -> None:
    journal = Journal(160, 140, {"task": Account(None, 140, {Outcome.SUCCEEDED: 1}, schedule_id="ten")})
    result = taken(Told(created_at=0, watermark=130), journal=journal)
    assert (result.counts, unproven(result)) == ({Outcome.SUCCEEDED: 1}, [150, 160])


def test_very_many_unproven_ticks_are_counted_and_not_walked_over() -> None:
    second = Timing("ten", parse("* * * * * *").ticks)
    journal = Journal(watermark=100 + 50_000_000, proven=100)
    result = taken(journal=journal, present=second)
    assert len(unproven(result)) == MOST_UNPROVEN
    assert result.counts == {Outcome.LOST: 50_000_000 - MOST_UNPROVEN}
    assert not result.told_by_rule


def test_a_journal_is_read_as_it_was_written() -> None:
    account = Account(None, 7, {Outcome.FAILED: 2}, (1, 2), (3,), "five", suspended=True, on_its_way=2)
    annotations = to_annotations(9, 8, [encode('a"b', account), encode("c", Account(4, 5))], 6, step=3)
    journal = from_annotations(annotations)
    assert journal == Journal(9, 8, {'a"b': account, "c": Account(4, 5)}, 6, 3)
    assert from_annotations(None) == Journal()


@pytest.mark.parametrize("spoilt", ["[]", "{", '{"a":1}', '{"a":[1,2,{"X":1},[],[],"",0]}'])
def test_a_journal_that_somebody_spoilt_is_refused(spoilt: str) -> None:
    with pytest.raises(ValueError, match="accounts"):
        from_annotations({"timewright.dev/accounts": spoilt})


PUT_OFF = Timing("put off", Jittered(parse("*/10 * * * * *").ticks, "uid", 9))


def test_a_tick_that_waits_for_its_jitter_is_not_lost_with_its_leader() -> None:
    tick = next(each for each in range(1_000_000_000, 1_000_000_600, 10) if start_of(PUT_OFF.ticks, each) >= each + 3)
    start = start_of(PUT_OFF.ticks, tick)
    told = Told(0, tick - 1, 1, "put off")
    waits = take_over(told, Journal(start - 1, start - 1), None, PUT_OFF, {}, str)
    assert waits.state.open_runs == ()
    assert waits.state.watermark == start - 1
    assert PUT_OFF.ticks.first_from(start) == start, "so it is decided, and starts"
    claimed = take_over(told, Journal(start, start - 1), None, PUT_OFF, {}, str)
    assert [(run.run_id, run.proven) for run in claimed.state.open_runs] == [(str(tick), False)]
    proven = take_over(told, Journal(start, start), None, PUT_OFF, {}, str)
    assert proven.state.open_runs == ()
    assert proven.counts == {Outcome.SUCCEEDED: 1}


def test_ticks_of_a_pause_that_have_a_record_are_decided_and_counted_with_those_whose_record_is_gone() -> None:
    told = Told(created_at=0, watermark=100, revision=3, schedule_id="ten", timing=TEN, suspended=True)
    result = taken(told, recorded={90: Outcome.SUCCEEDED, 120: Outcome.SKIPPED, 130: Outcome.SKIPPED})
    assert result.state.watermark == 130
    assert result.state.suspended
    assert result.counts == {Outcome.SKIPPED: 3}
    assert not result.told_by_rule
