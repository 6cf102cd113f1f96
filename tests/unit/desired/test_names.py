"""Names of children: short enough, valid, and apart."""

from __future__ import annotations

import re

from hypothesis import assume, example, given
from hypothesis import strategies as st

from timewright.desired import names

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")

parts = st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?\Z")
object_names = st.lists(parts, min_size=1, max_size=8).map(".".join).filter(lambda name: len(name) <= 253)
long_names = st.builds(lambda head, tail: (head * 60)[:100] + tail, parts, parts)
uids = st.uuids().map(str)


@given(object_names | long_names)
@example("a" + "-" * 60 + "b")
@example("a." * 40 + "b")
def test_a_child_has_a_valid_name_that_leaves_room_for_its_jobs(name: str) -> None:
    child = names.cron_job_name(name)

    assert len(child) <= 52
    assert len(f"{child}-29539440") <= 63
    assert SUBDOMAIN.fullmatch(child)
    label = names.task_label(name)
    assert len(label) <= 63
    assert LABEL_VALUE.fullmatch(label)


@given(object_names)
def test_a_short_name_stays_as_it_is(name: str) -> None:
    if len(name) <= 52:
        assert names.cron_job_name(name) == name
    if len(name) <= 63:
        assert names.task_label(name) == name


@given(long_names, long_names)
def test_long_names_stay_apart(one: str, other: str) -> None:
    assume(one != other and min(len(one), len(other)) > 63)

    assert names.cron_job_name(one) != names.cron_job_name(other)
    assert names.task_label(one) != names.task_label(other)


def test_long_names_that_begin_alike_stay_apart() -> None:
    many = [f"{'nightly-' * 12}{number}" for number in range(500)]

    assert len({names.cron_job_name(each) for each in many}) == len(many)


@given(object_names | long_names, uids)
def test_the_job_of_a_run_by_hand_has_a_valid_name_that_is_also_a_label_value(name: str, uid: str) -> None:
    job = names.manual_job_name(name, uid)

    assert len(job) <= 63
    assert SUBDOMAIN.fullmatch(job)
    assert LABEL_VALUE.fullmatch(job)


@given(object_names, uids, uids)
def test_a_run_by_hand_made_anew_under_its_old_name_gets_a_new_job(name: str, one: str, other: str) -> None:
    assert (names.manual_job_name(name, one) == names.manual_job_name(name, other)) == (one == other)
