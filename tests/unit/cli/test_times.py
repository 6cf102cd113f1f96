"""How times are read and written."""

import pytest

from timewright.cli.times import distance_in_words, duration_in_words, read_duration, read_instant


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("7d", 604_800), ("2w1d", 1_296_000), ("0s", 0)]
)
def test_durations(text: str, seconds: int) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "-1h", "1.5h", "1h ", "1y", "99999999999d", "١h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration|longer than"):
        read_duration(text)


@pytest.mark.parametrize("text", ["2026-03-02T12:00:00Z", "2026-03-02T12:00", "2026-03-02T14:00:00+02:00"])
def test_instants(text: str) -> None:
    assert read_instant(text) == 1_772_452_800


@pytest.mark.parametrize("text", ["", "noon", "2026-13-01", "12"])
def test_what_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time; write it like"):
        read_instant(text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0.00s"), (0.044, "0.04s"), (2.34, "2.3s"), (45.9, "45s"), (200, "3m20s"), (1e6, "11d13h")],
)
def test_duration_in_words(seconds: float, words: str) -> None:
    assert duration_in_words(seconds) == words


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "now"), (5.9, "in 5s"), (-250, "4m10s ago")])
def test_distance_in_words(seconds: float, words: str) -> None:
    assert distance_in_words(seconds) == words
