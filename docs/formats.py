"""Tries every format, depth and layout, and writes the table in docs/formats.md: ``python -m docs.formats``.

Each case is a file that is made here, with the pixels that it stands for. ``tests/test_formats.py`` decodes them and
holds the page to the outcome.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from docs.format_truth import Case
from docs.other_formats import eight_bits, one_bit, others, png, several
from docs.ranges import range_table
from docs.tiff_formats import tiff_depths, tiff_layouts
from patchbank.errors import PatchbankError
from patchbank.images import decode_image

PAGE: Final = Path(__file__).parent / "formats.md"
_RANGES: Final = """\
## 16-bit files without a range

The same picture, good and defective, in 16-bit files that do not say which value is white, judged by classes that were
taught from 8-bit PNG files, from 16-bit grey files of the same depth, of the next smaller and of the next greater one.
*As the 8-bit PNG*: the same verdict with the same score.
"""
_MARKS: Final = ("<!-- formats -->\n", "<!-- /formats -->\n")


@dataclass(frozen=True)
class Outcome:
    """What the decoder made of a case: ``word`` is read, warned, refused or WRONG; ``code`` is the error's."""

    word: str
    detail: str = ""
    status: int = 200
    code: str = ""
    off: float = 0.0


def judge(case: Case) -> Outcome:
    """Decode the case and compare it with the truth."""
    try:
        decoded = decode_image(case.data, name="FILE")
    except PatchbankError as error:
        refused = case.pixels is None or case.unknown
        return Outcome("refused" if refused else "WRONG", error.message, error.status, error.code)
    if case.unknown or case.pixels is None or decoded.pixels.shape != case.pixels.shape:
        return Outcome("WRONG", "was read")
    off = float(np.abs(decoded.pixels - case.pixels.astype(float)).max())
    if decoded.warnings and case.dark:
        return Outcome("warned", "; ".join(decoded.warnings), off=off)
    return Outcome("read" if off <= case.tolerance and not decoded.warnings else "WRONG", off=off)


def cases() -> Iterator[Case]:
    """Every case, in the order of the table."""
    yield from eight_bits()
    yield from png()
    yield from tiff_layouts()
    yield from tiff_depths()
    yield from one_bit()
    yield from others()
    yield from several()


def table() -> str:
    """The outcome of every case, as Markdown."""
    lines: list[str] = []
    group = ""
    for case in cases():
        if case.group != group:
            group = case.group
            lines += [
                "" if not lines else "\n",
                f"## {group[0].upper()}{group[1:]}\n",
                "| file | what happens |",
                "|---|---|",
            ]
        outcome = judge(case)
        lines.append(f"| {case.what} | {_said(case, outcome)} |")
    return "\n".join(lines).lstrip("\n").replace("\n\n\n", "\n\n") + f"\n\n{_RANGES}\n{range_table()}"


def _said(case: Case, outcome: Outcome) -> str:
    if outcome.word == "read":
        if not case.tolerance:
            return "read"
        return "read, within a level of 255" if case.tolerance <= 2 else "read, with the format's own loss"
    if outcome.word == "warned":
        return f"read as dark, with a warning: {outcome.detail}"
    return f"{outcome.word} ({outcome.status}): {outcome.detail.removeprefix('FILE: ')}"


def page(text: str) -> str:
    """The page with its table made anew."""
    begin, end = (re.escape(mark) for mark in _MARKS)
    return re.sub(
        f"({begin}).*?({end})", lambda match: match[1] + "\n" + table() + "\n" + match[2], text, flags=re.DOTALL
    )


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
