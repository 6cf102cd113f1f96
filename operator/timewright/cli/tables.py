"""Tables for a terminal, in which what does not fit is cut, and for pipes, in which nothing is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence

from timewright.cli import printing
from timewright.resources.vocabulary import Outcome

STYLES: Mapping[str, str] = {
    Outcome.SUCCEEDED: "green",
    Outcome.FAILED: "bold red",
    Outcome.LOST: "bold red",
    Outcome.SKIPPED: "yellow",
    Outcome.MISSED: "yellow",
    Outcome.CANCELLED: "yellow",
}
"""How outcomes look."""

Style = Callable[[str, str], str]


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    style: Style = lambda column, cell: "",
    *,
    below: str = "",
) -> None:
    """Print rows below the names of columns, and a line below them. `style` says how a cell of a column looks."""
    rows = list(rows)
    if sys.stdout.isatty():
        _print_styled(columns, rows, style)
    elif rows:
        printing.write(_plain(columns, rows))
    if below:
        printing.write(("\n" if rows else "") + f"{below}\n")


def _plain(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of whole cells, for `grep` and `awk`."""
    lines = [columns, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
    return "".join(f"{line}\n" for line in padded)


def _print_styled(columns: Sequence[str], rows: Sequence[Sequence[str]], style: Style) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    for row in rows:
        cells = zip(columns, row, strict=True)
        table.add_row(*(Text(cell, style=style(column, cell)) for column, cell in cells))
    if rows:
        Console(highlight=False).print(table)
        sys.stdout.flush()
