"""Judges 16-bit files that do not say which value is white, against classes taught from files of several depths."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docs.format_truth import at_depth, grey_truth, saved, spread, tiff_file
from docs.other_formats import png16
from patchbank.bank.edge.store import EdgeStore
from patchbank.embedding.embedder import Embedder
from patchbank.errors import PatchbankError
from patchbank.judging.inspector import Inspector
from patchbank.settings import load_settings
from patchbank.teaching.teacher import Teacher

DEPTHS: Final = (10, 12, 14, 16)
"""Bits of the values in the tried files, which all have room for 16."""

Saved = Callable[[NDArray[np.uint16]], bytes]
"""Values (H, W) as a file."""


def _pnm(letter: bytes, values: NDArray[np.uint16]) -> bytes:
    height, width = values.shape[:2]
    return b"%b %d %d 65535\n" % (letter, width, height) + values.astype(">u2").tobytes()


KINDS: Final[dict[str, Saved]] = {
    "TIFF, grey": tiff_file,
    "PNG, grey": lambda values: png16(values[:, :, None]),
    "PGM": lambda values: _pnm(b"P5", values),
    "TIFF, RGB": lambda values: tiff_file(spread(values), "rgb"),
    "PNG, RGB": lambda values: png16(spread(values)),
    "PPM": lambda values: _pnm(b"P6", spread(values)),
}
"""Ways to save grey values; in the last three each channel has them."""

GREY: Final = ("TIFF, grey", "PNG, grey", "PGM")


@dataclass(frozen=True)
class Judgement:
    """What an inspector says of a file: a ``score`` and ``warnings``, or the error's ``code`` and status."""

    score: float | None = None
    is_anomalous: bool | None = None
    warnings: tuple[str, ...] = ()
    code: str = ""
    status: int = 200


class Ranges:
    """Classes taught from 8-bit PNG files, and from 16-bit grey files of each depth in every format."""

    def __init__(self, folder: Path, inspector: Inspector) -> None:
        self._inspector = inspector
        self._judged: dict[tuple[str, int, int, bool], Judgement] = {}
        teacher = Teacher(inspector.settings, inspector.embedder, inspector.store)
        pictures = [_part(seed) for seed in range(4)]
        for bits in (8, *DEPTHS):
            files = []
            for seed, picture in enumerate(pictures):
                kind = "8 bits" if bits == 8 else GREY[seed % len(GREY)]
                file = folder / f"{bits}-{seed}"
                file.write_bytes(_file(picture, kind, bits))
                files.append(file)
            teacher.teach(_name(bits), files)

    def judge(self, kind: str, bits: int, taught: int, *, defective: bool) -> Judgement:
        """A new picture, in a file of that kind and depth, judged by the class that was ``taught`` from that many bits.
        The kind ``8 bits`` is an 8-bit PNG."""
        asked = (kind, bits, taught, defective)
        if asked not in self._judged:
            self._judged[asked] = self._judge(*asked)
        return self._judged[asked]

    def _judge(self, kind: str, bits: int, taught: int, defective: bool) -> Judgement:
        picture = _part(9)
        if defective:
            picture[12:24, 20:36] = 255 - picture[12:24, 20:36]
        try:
            inspection = self._inspector.inspect(_file(picture, kind, bits), _name(taught))
        except PatchbankError as error:
            return Judgement(code=error.code, status=error.status)
        verdict = inspection.verdict
        assert verdict is not None  # noqa: S101  # the class is named
        return Judgement(verdict.score, verdict.is_anomalous, inspection.warnings)


@contextmanager
def opened() -> Iterator[Ranges]:
    """The classes, in a folder of their own that is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="patchbank-ranges-") as name:
        folder = Path(name)
        settings = load_settings(data_dir=folder / "data", backbone="efficientnet-lite2")
        with Embedder.open(settings) as embedder:
            store = EdgeStore(settings.data_dir)
            try:
                yield Ranges(folder, Inspector(settings, embedder, store))
            finally:
                store.close()


def range_table() -> str:
    """Each file against each class, as Markdown."""
    lines = [
        "| file | class of 8-bit PNG | class of the same depth | class of fewer bits | class of more bits |",
        "|---|---|---|---|---|",
    ]
    with opened() as ranges:
        for bits in DEPTHS:
            fewer = max((other for other in DEPTHS if other < bits), default=0)
            more = min((other for other in DEPTHS if other > bits), default=0)
            for kind in KINDS:
                cells = [_said(ranges, kind, bits, taught) for taught in (8, bits, fewer, more)]
                lines.append(f"| {bits}-bit values, {kind} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _said(ranges: Ranges, kind: str, bits: int, taught: int) -> str:
    if not taught:
        return "-"
    said = set()
    for defective in (False, True):
        made = ranges.judge(kind, bits, taught, defective=defective)
        right = ranges.judge("8 bits", 8, taught, defective=defective)
        said.add(_word(made, right))
    return " or ".join(sorted(said))


def _word(made: Judgement, right: Judgement) -> str:
    if made.code:
        return f"refused ({made.status} `{made.code}`)"
    if made.score == right.score and made.is_anomalous == right.is_anomalous:
        return "as the 8-bit PNG"
    return "read dark, with a warning" if any("fewer bits" in note for note in made.warnings) else "WRONG"


def _file(picture: NDArray[np.uint8], kind: str, bits: int) -> bytes:
    return saved(Image.fromarray(picture), "PNG") if kind == "8 bits" else KINDS[kind](at_depth(picture, bits))


def _part(seed: int) -> NDArray[np.uint8]:
    """A picture of 64 x 48 pixels, from black to white, with noise of its own: uint8 (48, 64)."""
    noise = np.random.default_rng(seed).normal(0, 6, (48, 64))
    return np.asarray(np.clip(grey_truth() + noise, 0, 255).round(), dtype=np.uint8)


def _name(bits: int) -> str:
    return f"bits-{bits}"
