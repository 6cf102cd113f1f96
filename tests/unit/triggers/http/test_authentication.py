"""Who may call."""

from pathlib import Path

import pytest

from timewright.triggers.http.authentication import TokenError, fixed_tokens, is_authorized, tokens_of_file

OLD, NEW = "the-old-token-0123456789", "the-new-token-0123456789"


@pytest.mark.parametrize(
    ("authorization", "header", "expected"),
    [
        (f"Bearer {OLD}", None, True),
        (f"bearer  {NEW} ", None, True),
        (None, OLD, True),
        ("Bearer of-something-else-entirely", NEW, True),
        (None, None, False),
        ("", "", False),
        (OLD, None, False),
        (f"Basic {OLD}", None, False),
        (f"Bearer {OLD}x", None, False),
        (f"Bearer {OLD[:-1]}", None, False),
        ("Bearer ", None, False),
        ("Bearer tökèn", "\udcff", False),
    ],
)
def test_is_authorized(authorization: str | None, header: str | None, expected: bool) -> None:
    assert is_authorized(authorization, header, [OLD, NEW]) is expected


def test_without_tokens_nobody_is() -> None:
    assert not is_authorized("Bearer ", "", [])


@pytest.mark.parametrize(
    "token", ["", "short", "fifteen-letters", "with a space inside it", "näht-für-näht-für", "x" * 15]
)
def test_what_is_no_token(token: str) -> None:
    with pytest.raises(TokenError, match=r"^the test has a token that is no such.*openssl"):
        fixed_tokens([OLD, token], "the test")


def test_no_token_is_not_told_in_the_error() -> None:
    with pytest.raises(TokenError) as caught:
        fixed_tokens(["hunter2"], "the test")
    assert "hunter2" not in str(caught.value)


def test_a_file_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"{OLD}\n")
    tokens = tokens_of_file(file)
    assert tokens() == (OLD,)
    file.write_text(f"{OLD}\n\n  {NEW}\r\n")
    assert tokens() == (OLD, NEW)
    file.write_text("")
    assert tokens() == ()
    file.unlink()
    assert tokens() == ()


@pytest.mark.parametrize("content", [None, b"", b"\n \n", b"short\n", b"\xff" * 20])
def test_a_file_without_a_token(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "tokens"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TokenError, match="tokens"):
        tokens_of_file(file)
