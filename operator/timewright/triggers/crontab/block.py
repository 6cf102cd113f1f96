"""Managed blocks within the text of a crontab. What is outside of them is never changed.

Texts are as cron has them, lines that end in a line feed. A carriage return before it belongs to the line.
"""

from __future__ import annotations

from dataclasses import dataclass

_BEGIN = "# BEGIN timewright "
_END = "# END timewright "
_NOTE = "# Managed by `timewright crontab`: what is changed between these lines is lost at the next install."


class BlockError(ValueError):
    """A block cannot be told from the rest. The text names the line and the remedy."""


@dataclass(frozen=True, slots=True)
class Block:
    """A managed block, and where it stands: `start` and `end` are offsets in the text, the end exclusive."""

    name: str
    start: int
    end: int
    text: str

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines that cron acts on."""
        inner = (line.rstrip("\r") for line in self.text.split("\n"))
        return tuple(line for line in inner if line and not line.startswith("#"))


def check_name(name: str) -> None:
    """Raise BlockError if a block cannot have that name."""
    if not name or name != name.strip() or not name.isprintable():
        raise BlockError(f"the name of a block is {name!r}; expected printable text without spaces around it")


def blocks(text: str) -> list[Block]:
    """Return the managed blocks in their order.

    Raises BlockError if one has no end, since then nobody knows which lines are whose.
    """
    found: list[Block] = []
    name, start, begun_at = "", 0, 0
    position = 0
    for number, line in enumerate(text.split("\n"), start=1):
        marker = line.rstrip("\r")
        end = min(position + len(line) + 1, len(text))
        if marker.startswith(_BEGIN):
            if name:
                raise _unfinished(name, begun_at)
            name, start, begun_at = marker.removeprefix(_BEGIN), position, number
        elif name and marker == _END + name:
            found.append(Block(name, start, end, text[start:end]))
            name = ""
        position = end
    if name:
        raise _unfinished(name, begun_at)
    return found


def with_block(text: str, name: str, line: str) -> str:
    """Return the text with a block of that name that holds the line.

    A block of the name is replaced where it stands; otherwise the new one comes last, so that environment lines of the
    user's keep meaning what they meant. Raises BlockError as `blocks` and `check_name` do.
    """
    check_name(name)
    block = f"{_BEGIN}{name}\n{_NOTE}\n{line}\n{_END}{name}\n"
    standing = [each for each in blocks(text) if each.name == name]
    if not standing:
        # cron does not take a last line without its line feed.
        gap = "" if not text or text.endswith("\n") else "\n"
        return text + gap + block
    kept = _without(text, standing[1:])
    return kept[: standing[0].start] + block + kept[standing[0].end :]


def without_block(text: str, name: str) -> str:
    """Return the text without the blocks of that name. Raises BlockError as `blocks` does."""
    return _without(text, [each for each in blocks(text) if each.name == name])


def _without(text: str, unwanted: list[Block]) -> str:
    for block in reversed(unwanted):
        text = text[: block.start] + text[block.end :]
    return text


def _unfinished(name: str, number: int) -> BlockError:
    return BlockError(
        f"line {number} of the crontab begins the block {name!r} and no line {_END + name!r} follows; "
        "put it back, or remove what is left of the block, with: crontab -e"
    )
