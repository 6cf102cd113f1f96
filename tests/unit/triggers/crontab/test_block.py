"""Managed blocks come and go, and every other byte stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timewright.triggers.crontab.block import BlockError, blocks, with_block, without_block

LINE = "* * * * * true"
OTHERS = (
    "",
    "# mine\nMAILTO=me@example.com\n*/5 * * * * backup\n",
    "0 3 * * * report\r\n# BEGIN of the month\r\n",
    "\n\n  # indented\n@daily x % y\n",
    "A=1\x0b2\u2028\u0085\n1 2 3 4 5 form\x0cfeed\n",
    "# BEGIN timewrighter x\n# END timewright\n",
)


@pytest.mark.parametrize("text", OTHERS)
def test_a_block_comes_last_and_goes_without_a_trace(text: str) -> None:
    changed = with_block(text, "shop", LINE)
    assert changed.startswith(text)
    assert [(block.name, block.lines) for block in blocks(changed)] == [("shop", (LINE,))]
    assert with_block(changed, "shop", LINE) == changed
    assert without_block(changed, "shop") == text


def test_a_last_line_without_its_line_feed_gets_one_since_cron_demands_it() -> None:
    changed = with_block("0 3 * * * report", "shop", LINE)
    assert changed.startswith("0 3 * * * report\n# BEGIN timewright shop\n")
    assert without_block(changed, "shop") == "0 3 * * * report\n"


def test_a_block_is_replaced_where_it_stands() -> None:
    text = with_block("A=1\n", "shop", "* * * * * old") + "B=2\n" + with_block("", "other", LINE)
    changed = with_block(text, "shop", "* * * * * new")
    assert changed == text.replace("old", "new")
    assert without_block(changed, "shop") == "A=1\nB=2\n" + with_block("", "other", LINE)


def test_of_a_block_that_was_copied_one_is_left() -> None:
    once = with_block("", "shop", LINE)
    text = f"{once}# between\n{once}{once}"
    assert with_block(text, "shop", LINE) == f"{once}# between\n"
    assert without_block(text, "shop") == "# between\n"


def test_a_block_that_an_editor_gave_carriage_returns_is_still_known() -> None:
    text = with_block("A=1\n", "shop", LINE).replace("\n", "\r\n")
    assert blocks(text)[0].lines == (LINE,)
    assert without_block(text, "shop") == "A=1\r\n"


def test_an_end_without_a_line_feed() -> None:
    text = with_block("A=1\n", "shop", LINE).removesuffix("\n")
    assert without_block(text, "shop") == "A=1\n"
    assert with_block(text, "shop", LINE) == text + "\n"


@pytest.mark.parametrize("end", ["", "# END timewright shopping\n", " # END timewright shop\n"])
def test_a_block_without_an_end_is_nobody_s_to_change(end: str) -> None:
    text = f"A=1\n# BEGIN timewright shop\n{LINE}\n{end}B=2\n"
    for change in (lambda: with_block(text, "shop", LINE), lambda: without_block(text, "other")):
        with pytest.raises(BlockError, match=r"line 2 .*'shop'.*crontab -e"):
            change()


def test_a_block_within_a_block() -> None:
    with pytest.raises(BlockError, match=r"line 1 .*'a'"):
        blocks("# BEGIN timewright a\n" + with_block("", "b", LINE) + "# END timewright a\n")


@pytest.mark.parametrize("name", ["", " x", "x ", "x\ny", "x\r", "a\x00b"])
def test_names_that_no_block_can_have(name: str) -> None:
    with pytest.raises(BlockError, match="name of a block"):
        with_block("", name, LINE)


NAMES = st.sampled_from(["shop", "shop2", "/srv/täsks.yaml", "a b"])
USERS_LINES = st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=20).filter(
    lambda line: not line.startswith("# BEGIN timewright ")
)


@given(st.lists(USERS_LINES, max_size=5), st.lists(st.tuples(st.booleans(), NAMES), max_size=12))
def test_whatever_is_installed_and_removed_the_user_s_lines_stay(
    lines: list[str], steps: list[tuple[bool, str]]
) -> None:
    users = "".join(f"{line}\n" for line in lines)
    text, present = users, set[str]()
    for install, name in steps:
        text = with_block(text, name, LINE) if install else without_block(text, name)
        present = present | {name} if install else present - {name}
        assert {block.name for block in blocks(text)} == present
    for name in present:
        text = without_block(text, name)
    assert text == users
