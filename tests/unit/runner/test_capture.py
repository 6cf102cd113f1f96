"""Output is kept within bounds and readable."""

from timewright.runner.capture import Capture, readable


def test_short_output_is_kept_whole() -> None:
    capture = Capture(4, 4)
    for piece in (b"ab", b"cd", b"efgh"):
        capture.add(piece)
    assert capture.text() == "abcdefgh"
    assert capture.total == 8


def test_the_middle_of_long_output_is_left_out() -> None:
    capture = Capture(4, 4)
    for number in range(1000):
        capture.add(b"%03d " % number)
    assert capture.text() == "000 \n… 3992 bytes left out …\n999 "


def test_memory_is_bounded() -> None:
    capture = Capture(10, 100)
    for _ in range(100):
        capture.add(b"x" * 10_000)
    assert len(capture.text()) < 200


def test_last_line() -> None:
    capture = Capture()
    assert capture.last_line() == ""
    capture.add(b"first\n  last words \n\n \n")
    assert capture.last_line() == "last words"


def test_readable() -> None:
    assert readable(b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07ok\x00\r\n10%\r20%\r\n\xff") == "red ok\n10%\n20%\n\ufffd"
