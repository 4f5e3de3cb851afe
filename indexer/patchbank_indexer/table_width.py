"""Makes a table fit a width: the least important columns go, names are shortened in the middle, headings break."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len, set_cell_size

GAP: Final = 2
"""Blanks between two columns."""

_CUT: Final = "..."
_NARROW_NAME: Final = 16
_NARROW_TEXT: Final = 30
"""Widths below which a name is not shortened, and a text not broken into lines."""


@dataclass(frozen=True)
class FittedColumn:
    """A column that is shown: which one it was, how wide it is, and its cells."""

    index: int
    width: int
    cells: tuple[str, ...]


def fit(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int | None,
    names: Collection[str] = (),
    least: Sequence[str] = (),
) -> list[FittedColumn]:
    """The columns that fit ``width`` cells of a terminal, all of them for None.

    Columns of the headings ``least`` go first, in that order. Those of ``names`` are shortened in the middle, so that
    both ends of a path or a name can be read. A long text is broken into lines by whoever draws it.
    """
    natural = [max(_columns_of(rows, index, [cell_len(heading)])) for index, heading in enumerate(headings)]
    shown = list(range(len(headings)))
    if width is not None:
        narrow = [_narrow(heading, index, rows, natural, names) for index, heading in enumerate(headings)]
        for heading in least:
            if _total(narrow, shown) <= width:
                break
            shown = [index for index in shown if headings[index] != heading]
        widths = _widened(narrow, natural, shown, width)
    else:
        widths = natural
    return [
        FittedColumn(
            index,
            widths[index],
            tuple(shorten(row[index], widths[index]) if headings[index] in names else row[index] for row in rows),
        )
        for index in shown
    ]


def shorten(text: str, width: int) -> str:
    """The text in at most ``width`` cells, cut in the middle; the longer part of what is left is the end."""
    if cell_len(text) <= width:
        return text
    left = max(0, width - len(_CUT))
    head = set_cell_size(text, left // 3).rstrip()
    tail = set_cell_size(text[::-1], left - left // 3)[::-1].lstrip()
    return f"{head}{_CUT}{tail}"


def _narrow(
    heading: str, index: int, rows: Sequence[Sequence[str]], natural: Sequence[int], names: Collection[str]
) -> int:
    """The least width at which a column can be read; headings break between words."""
    word = max((cell_len(part) for part in heading.split()), default=0)
    longest = max(_columns_of(rows, index, [word]))
    return max(word, min(natural[index], longest, _NARROW_NAME if heading in names else _NARROW_TEXT))


def _columns_of(rows: Sequence[Sequence[str]], index: int, more: Sequence[int]) -> list[int]:
    return [*more, *(cell_len(row[index]) for row in rows)]


def _total(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[index] for index in shown) + GAP * (len(shown) - 1)


def _widened(narrow: Sequence[int], natural: Sequence[int], shown: Sequence[int], width: int) -> list[int]:
    """The narrow widths, and what is left of ``width`` given to those columns that lack most, a cell at a time."""
    widths = list(narrow)
    for _ in range(max(0, width - _total(narrow, shown))):
        lacking = max(shown, key=lambda index: natural[index] - widths[index])
        if natural[lacking] <= widths[lacking]:
            break
        widths[lacking] += 1
    return widths
