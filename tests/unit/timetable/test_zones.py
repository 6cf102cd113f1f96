"""The spans found by asking for offsets are those that the time zone files list."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from tests.oracle.random_cases import FAMILIAR, PECULIAR
from tests.oracle.robfig import zone_data
from timewright.timetable.zones import load_zone

FROM, TO = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (1900, 2037))


@pytest.mark.parametrize("name", sorted({*PECULIAR, *FAMILIAR, "Africa/Freetown", "America/Juneau", "Africa/Tunis"}))
def test_no_change_is_missed(name: str) -> None:
    zone = load_zone(name)
    zone.covering(FROM)
    spans = zone.covering(TO)
    found = [(begin, offset) for begin, _, offset in spans.within(FROM, TO)][1:]
    assert found == [change for change in _listed_changes(zone_data(name)) if FROM < change[0] < TO]


def _listed_changes(data: bytes) -> list[tuple[int, int]]:
    """Read the second, 64-bit block of a TZif file (RFC 9636): instants and new offsets, where the offset differs."""
    counts = struct.unpack(">6l", data[20:44])
    start = 44 + counts[3] * 5 + counts[4] * 6 + counts[5] + counts[2] * 8 + counts[1] + counts[0]
    _, _, _, changes, kinds, _ = struct.unpack(">6l", data[start + 20 : start + 44])
    start += 44
    instants = struct.unpack(f">{changes}q", data[start : start + 8 * changes])
    chosen = data[start + 8 * changes : start + 9 * changes]
    start += 9 * changes
    offsets = [struct.unpack(">l", data[start + 6 * kind : start + 6 * kind + 4])[0] for kind in range(kinds)]
    before = [offsets[0], *(offsets[kind] for kind in chosen)]
    return [(at, after) for at, (earlier, after) in zip(instants, pairwise(before), strict=True) if earlier != after]


def test_a_zone_without_changes_is_one_span() -> None:
    assert load_zone("Etc/GMT+5").covering(0).offsets == (-18_000,)
    assert load_zone("UTC").offset(0) == 0


def test_looking_back_keeps_what_was_known() -> None:
    zone = load_zone("Europe/London")
    assert zone.offset(int(datetime(2026, 7, 1, tzinfo=UTC).timestamp())) == 3_600
    assert zone.offset(int(datetime(1990, 7, 1, tzinfo=UTC).timestamp())) == 3_600
    assert zone.offset(int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())) == 0
