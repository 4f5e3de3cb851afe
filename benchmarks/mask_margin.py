"""How near to the mask's border may something in the ignored part be? ``python -m benchmarks.mask_margin``.

The right half of real pictures is ignored. There a red block, which no reference shows, is painted into held-out good
images at growing distances from the mask's border. Every alarm is a false one. For comparison, the same images are
judged by a class without a mask.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.verdicts import verdict_on
from patchbank.bank.open_store import open_store
from patchbank.embedding.embedder import Embedder
from patchbank.images import DecodedImage, read_image
from patchbank.judging.inspector import Inspector
from patchbank.settings import load_settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.roi_drawing import RoiDrawing
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import load_products

FAR = 0.05
SHARES = (0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3)


def main() -> None:
    """Print one row per class and distance."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--references", type=int, default=60)
    parser.add_argument("--images", type=int, default=30)
    parser.add_argument("--backbone", default="efficientnet-lite2")
    given = parser.parse_args()
    print("| class | distance, share of the width | cells | alarms with the mask | without | patches kept |")
    print("|---|---|---|---|---|---|")
    for product in load_products(references=given.references, held_out=given.images):
        with tempfile.TemporaryDirectory() as folder:
            settings = load_settings(data_dir=Path(folder), backbone=given.backbone)
            with Inspector(settings, Embedder.open(settings), open_store(settings)) as inspector:
                teacher = Teacher(settings, inspector.embedder, inspector.store)
                images = [read_image(file) for file in product.good]
                width, height = images[0].size
                drawing = RoiDrawing(None, (), ((width // 2, 0, width - width // 2, height),))
                options = TeachOptions(target_far=FAR, roi=drawing)
                masked = teacher.teach("masked", product.references, options=options).manifest
                whole = teacher.teach("whole", product.references, options=replace(options, roi=None)).manifest
                columns = inspector.embedder.prepare(images[0]).geometry.grid[1]
                for share in (None, *SHARES):
                    shown = [image if share is None else _with_block(image, share) for image in images]
                    alarms = [
                        np.mean([verdict_on(inspector, image, name).is_anomalous for image in shown])
                        for name in ("masked", "whole")
                    ]
                    place = "nothing added" if share is None else f"{share:.0%}"
                    cells = "" if share is None else f"{share * columns:.1f}"
                    print(
                        f"| {product.class_name} | {place} | {cells} | {alarms[0]:.0%} | {alarms[1]:.0%} | "
                        f"{masked.patches} of {whole.patches} |",
                        flush=True,
                    )


def _with_block(image: DecodedImage, share: float) -> DecodedImage:
    """The image with a red block, a tenth of it wide and a fifth high, ``share`` of the width right of the middle."""
    pixels = image.pixels.copy()
    height, width = pixels.shape[:2]
    left = width // 2 + round(share * width)
    block = pixels[2 * height // 5 : 3 * height // 5, left : left + width // 10]
    block[:] = (230, 40, 40)
    return replace(image, pixels=pixels)


if __name__ == "__main__":
    main()
