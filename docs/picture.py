"""Draws the README's picture: ``python -m docs.picture``.

A defective and a good textile with their heatmaps and overlays. Neither is in the bank. Of eleven held-out images per
kind, the one with the median score is shown, so that the picture shows an ordinary case and not the best one. The
images come from the PyPI package ``conformal-clip-data`` (MIT; extra ``demo``).
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from patchbank import Inspector, Verdict, load_settings
from patchbank.arrays import ByteArray
from patchbank.bank.open_store import open_store
from patchbank.embedding.embedder import Embedder
from patchbank.scoring.heatmap import MapFormat, render
from patchbank.settings import Settings
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product, load_products

OUT: Final = Path(__file__).parent / "result.png"
_CLASS: Final = "textile"
_BACKBONE: Final = "efficientnet-lite2"
_REFERENCES: Final = 100
_HELD_OUT: Final = 11
_SIDE: Final = 250
_GAP: Final = 6
_CAPTION: Final = 24


@dataclass(frozen=True)
class Judged:
    """A held-out image ``pixels`` (H, W, 3) with what the bank says of it; ``kind`` is what it really is."""

    kind: str
    pixels: ByteArray
    verdict: Verdict

    @property
    def caption(self) -> str:
        """The truth, the score beside its threshold, the verdict and the p-value."""
        verdict = self.verdict
        said, sign = ("anomalous", ">") if verdict.is_anomalous else ("normal", "<=")
        return (
            f"{self.kind} part: score {verdict.score:.3f} {sign} threshold {verdict.threshold:.3f}, {said}, "
            f"p-value {verdict.p_value:.2f}"
        )

    def panels(self) -> list[Image.Image]:
        """Picture, heatmap and overlay."""
        return [Image.fromarray(self.pixels), self._map("heatmap"), self._map("overlay")]

    def _map(self, kind: MapFormat) -> Image.Image:
        verdict = self.verdict
        regions = [explained.region for explained in verdict.regions]
        png = render(kind, verdict.map, verdict.pixel_threshold, self.pixels, regions, verdict.inspected)
        return Image.open(io.BytesIO(png)).convert("RGB")


def judge(data_dir: Path | None = None) -> list[Judged]:
    """A typical defective and a typical good textile, judged by the bank in ``data_dir``, or by one taught for it."""
    product = next(item for item in load_products(_REFERENCES, _HELD_OUT) if item.class_name == _CLASS)
    with ExitStack() as stack:
        if data_dir is None:
            data_dir = Path(stack.enter_context(TemporaryDirectory()))
            settings = load_settings(data_dir=data_dir, backbone=_BACKBONE)
            _teach(settings, product)
        settings = load_settings(data_dir=data_dir, backbone=_BACKBONE)
        inspector = stack.enter_context(Inspector.open(settings))
        return [_typical(inspector, "defective", product.defective), _typical(inspector, "good", product.good)]


def _teach(settings: Settings, product: Product) -> None:
    store = open_store(settings)
    try:
        with Embedder.open(settings) as embedder:
            Teacher(settings, embedder, store).teach(product.class_name, product.references)
    finally:
        store.close()


def _typical(inspector: Inspector, kind: str, files: Sequence[Path]) -> Judged:
    """The image with the median score."""
    judged = []
    for file in files:
        inspection = inspector.inspect(file, _CLASS)
        assert inspection.verdict is not None  # noqa: S101  # a class that is named always gives a verdict
        judged.append(Judged(kind, inspection.image.pixels, inspection.verdict))
    return sorted(judged, key=lambda item: item.verdict.score)[len(judged) // 2]


def draw(rows: Sequence[Judged], path: Path) -> None:
    """A PNG with one row per image, and its caption below."""
    width, height = 3 * _SIDE + 4 * _GAP, _SIDE + _CAPTION + _GAP
    sheet = Image.new("RGB", (width, _CAPTION + len(rows) * height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for column, title in enumerate(("picture", "heatmap", "overlay")):
        pen.text((_GAP + column * (_SIDE + _GAP), 4), title, fill="black", font=font)
    for row, judged in enumerate(rows):
        top = _CAPTION + row * height
        for column, panel in enumerate(judged.panels()):
            sheet.paste(panel.resize((_SIDE, _SIDE)), (_GAP + column * (_SIDE + _GAP), top))
        pen.text((_GAP, top + _SIDE + 3), judged.caption, fill="black", font=font)
    sheet.quantize(256, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)  # a palette: a third of the bytes


def main() -> None:
    """Judge and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, help=f"where {_CLASS} is taught already; else it is taught (a minute)")
    parser.add_argument("--out", type=Path, default=OUT, help="file to write")
    given = parser.parse_args()
    draw(judge(given.data_dir), given.out)


if __name__ == "__main__":
    main()
