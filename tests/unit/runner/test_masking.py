"""No secret passes, however it is cut up."""

import base64
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timewright.runner.masking import Masker

SECRET = "s3cr3t-t0ken/with+signs"


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        "s3cr3t-t0ken%2Fwith%2Bsigns",
        base64.b64encode(SECRET.encode()).decode(),
        f'{{"token": "{SECRET}"}}',
    ],
)
def test_usual_forms(form: str) -> None:
    masked = Masker([SECRET]).mask(f"before {form} after")
    assert "***" in masked
    assert "t0ken" not in masked
    assert base64.b64encode(SECRET.encode()).decode()[:12] not in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")


def test_json_escapes_and_lines_of_a_key() -> None:
    key = '-----BEGIN-----\nabc"defgh\nijklmnopq\n-----END-----\n'
    masked = Masker([key]).mask('{"key": "-----BEGIN-----\\nabc\\"defgh\\nijklmnopq\\n-----END-----\\n"} ijklmnopq')
    assert "ijklmnopq" not in masked


def test_no_secrets_change_nothing() -> None:
    stream = Masker().stream()
    assert stream.feed(b"any \xff bytes") == b"any \xff bytes"
    assert stream.flush() == b""


def test_what_cannot_be_a_secret_is_shown_at_once() -> None:
    stream = Masker(["secret"]).stream()
    assert stream.feed(b"a line\n") == b"a line\n"
    assert stream.feed(b"sec") == b""
    assert stream.feed(b"ond\n") == b"second\n"
    assert stream.feed(b"secre") == b""
    assert stream.flush() == b"secre"


def test_a_secret_that_begins_another() -> None:
    stream = Masker(["abcd", "abcdefgh"]).stream()
    shown = stream.feed(b"x abcd") + stream.feed(b"efgh y abcd") + stream.feed(b" z") + stream.flush()
    assert shown == b"x *** y *** z"


@given(
    secrets=st.lists(st.text("abc", min_size=4, max_size=6), min_size=1, max_size=3),
    text=st.text("abc", max_size=40),
    cuts=st.lists(st.integers(0, 40), max_size=8),
)
def test_cutting_a_stream_up_changes_nothing(secrets: list[str], text: str, cuts: list[int]) -> None:
    masker = Masker(secrets)
    whole = masker.mask(text)
    data = text.encode()
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    stream = masker.stream()
    shown = b"".join(stream.feed(data[a:b]) for a, b in itertools.pairwise(bounds)) + stream.flush()
    assert not any(secret in shown.decode() for secret in secrets)
    assert shown.decode() == whole
