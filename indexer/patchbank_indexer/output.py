"""What the commands print: tables and bars for people on standard error or output, JSON for machines."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console, JustifyMethod
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from patchbank.errors import PatchbankError
from patchbank.text import json_text, shown
from patchbank_indexer.table_width import fit

_PROGRAMS: Final = ("indexer", "patchbank")
_UNBOUNDED: Final = 100_000
"""Columns where standard output is no terminal, such as a pipe or a log: a row is a line, however long."""


class Output:
    """Standard output holds the result alone; progress and remarks go to standard error.

    Text may hold any file name: nothing in it is markup, and what is not a visible character is shown escaped.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.program = _called_name()
        self.console = Console(highlight=False, markup=False, emoji=False)
        self._width: int | None = self.console.width
        if not self.console.is_terminal and "COLUMNS" not in os.environ:
            self._width = None
            self.console = Console(highlight=False, markup=False, emoji=False, width=_UNBOUNDED)
        self.remarks = Console(stderr=True, highlight=False, markup=False, emoji=False)

    def result(self, document: Any) -> None:
        """The JSON document of a command, where JSON is asked for."""
        if self.as_json:
            sys.stdout.write(json_text(document) + "\n")

    def say(self, text: str) -> None:
        """A line for people."""
        if not self.as_json:
            self.console.print(_visible(text), soft_wrap=True)

    def remark(self, text: str) -> None:
        """A line beside the result, such as a warning."""
        self.remarks.print(shown(text), soft_wrap=True)

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        names: Collection[str] = (),
        least: Sequence[str] = (),
    ) -> None:
        """A table for people; numbers to the right.

        On a narrow terminal the columns ``least`` are left out, in that order, and cells of the columns ``names`` are
        shortened in the middle. In a pipe or a file every row is one line, unless the variable COLUMNS gives a width.
        """
        if self.as_json:
            return
        fitted = fit(columns, [[_text(cell) for cell in row] for row in rows], self._width, names, least)
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in fitted:
            numeric = all(isinstance(row[column.index], (int, float)) for row in rows) and bool(rows)
            justify: JustifyMethod = "right" if numeric else "left"
            table.add_column(_visible(columns[column.index]), justify=justify, overflow="fold", width=column.width)
        for cells in zip(*(column.cells for column in fitted), strict=True):
            table.add_row(*cells)
        self.console.print(table)
        left_out = [name for index, name in enumerate(columns) if index not in {column.index for column in fitted}]
        if left_out:
            self.remark(f"left out on a terminal of {self._width} columns: {', '.join(left_out)}")

    def error(self, error: PatchbankError) -> None:
        """An error: one JSON document, or one line on standard error."""
        if self.as_json:
            sys.stdout.write(json_text({"error": error.as_dict()}) + "\n")
        else:
            self.remark(f"{self.program}: {error.message} [{error.code}]")

    @contextmanager
    def progress(self) -> Iterator[Bars]:
        """Progress bars on standard error; silent where that is no terminal, but for a line a stage."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.remarks, disable=self.as_json or not self.remarks.is_terminal) as bars:
            yield Bars(bars, self)


class Bars:
    """``patchbank.progress.Progress`` on rich's bars."""

    def __init__(self, bars: Progress, out: Output) -> None:
        self._bars = bars
        self._out = out

    def begin(self, stage: str, total: int | None) -> Bar:
        if self._bars.disable and not self._out.as_json:
            self._out.remark(f"{stage} ({total})" if total else stage)
        return Bar(self._bars, self._bars.add_task(shown(stage), total=total))


class Bar:
    """``patchbank.progress.Stage`` on one of them."""

    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars = bars
        self._task = task
        self._steps = 0

    def advance(self, steps: int = 1) -> None:
        self._steps += steps
        self._bars.advance(self._task, steps)

    def done(self) -> None:
        reached = max(self._steps, 1)
        self._bars.update(self._task, total=reached, completed=reached)


def _called_name() -> str:
    """Which of its two names the program was called by; the first where by neither, such as with ``python -m``."""
    name = Path(sys.argv[0]).stem
    return name if name in _PROGRAMS else _PROGRAMS[0]


def _text(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:.4f}"
    return "-" if cell is None else _visible(str(cell))


def _visible(text: str) -> str:
    """The text as standard output can show it."""
    return shown(text, sys.stdout.encoding or "utf-8")
