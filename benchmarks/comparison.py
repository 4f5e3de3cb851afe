"""Two sets of answers, compared value by value."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

MISSING: Final = "(missing)"


@dataclass
class Comparison:
    """What came of comparing two sets of answers to one question.

    Numbers that differ by at most ``rounding`` are counted as ``rounded``, all others that differ as ``differing``.
    """

    rounding: float = 0.0
    values: int = 0
    differing: int = 0
    rounded: int = 0
    largest: float = 0.0
    named: list[str] = field(default_factory=list)

    def add(self, name: str, old: Any, new: Any) -> None:
        """Compare two values: scalars, bytes, or arrays of any shape. Arrays are never rounded."""
        if isinstance(old, np.ndarray) and isinstance(new, np.ndarray) and _alike(old, new):
            bits = f"u{old.itemsize}"
            changed = old.view(bits) != new.view(bits)
            self.values += old.size
            if changed.any():
                moved = np.abs(old[changed].astype(np.float64) - new[changed].astype(np.float64))
                self._differs(f"{name}: {changed.sum()} of {old.size} numbers", int(changed.sum()), float(moved.max()))
            return
        self.values += 1
        if type(old) is not type(new) or repr(old) != repr(new):
            distance = abs(old - new) if isinstance(old, float) and isinstance(new, float) else 0.0
            if 0.0 < distance <= self.rounding:
                self.rounded += 1
                self.largest = max(self.largest, distance)
            else:
                self._differs(f"{name}: {_short(old)} and {_short(new)}", 1, distance)

    @property
    def distance(self) -> str:
        """The largest difference between two numbers, as text."""
        return "not of numbers" if self.differing and not self.largest else f"{self.largest:.3g}"

    def _differs(self, text: str, count: int, distance: float) -> None:
        self.differing += count
        self.largest = max(self.largest, distance)
        self.named.append(text)


def _alike(old: np.ndarray[Any, Any], new: np.ndarray[Any, Any]) -> bool:
    return bool(old.dtype == new.dtype and old.shape == new.shape)


def _short(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


def compare(old: Mapping[str, Any], new: Mapping[str, Any], ignored: frozenset[str], rounding: float) -> Comparison:
    """Compare the answers to one question, for each class or image; fields named in ``ignored`` are left out."""
    result = Comparison(rounding)
    for item in sorted({*old, *new}):
        before, after = (dict(values_of(side.get(item, MISSING), ignored)) for side in (old, new))
        for name in dict.fromkeys((*before, *after)):
            result.add(f"{item} {name}", before.get(name, MISSING), after.get(name, MISSING))
    return result


def values_of(document: Any, ignored: frozenset[str], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a document with its path in it; also the length of a list.

    A ``Path`` is a snapshot of a class: its JSON files are documents in turn, its arrays values.
    """
    if isinstance(document, Path):
        with zipfile.ZipFile(document) as archive:
            for name in sorted(archive.namelist()):
                with archive.open(name) as file:
                    content = json.load(file) if name.endswith(".json") else np.load(file)
                yield from values_of(content, ignored, name)
    elif isinstance(document, dict):
        for name, value in document.items():
            if name not in ignored:
                yield from values_of(value, ignored, f"{path}/{name}")
    elif isinstance(document, list):
        yield f"{path}/length", len(document)
        for place, value in enumerate(document):
            yield from values_of(value, ignored, f"{path}/{place}")
    else:
        yield path, document
