"""Defective images among the references, and where an audit lists them: ``python -m benchmarks.audit_contamination``.

Each class has ``--references`` images, of which ``--planted`` are defective, drawn anew for every seed. For comparison,
the same images are ranked by their scores against the good ones alone, as in detection. An audit does not know which
ones are good, so no audit by the same patches can be expected to do better.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.datasets import load_datasets
from patchbank.bank.manifest import ScoringRule
from patchbank.bank.reference import Reference
from patchbank.embedding.embedder import Embedder
from patchbank.images import read_image
from patchbank.scoring.image_score import image_score
from patchbank.scoring.inspected_area import InspectedArea
from patchbank.settings import load_settings
from patchbank.teaching.audit import audit_references
from patchbank.teaching.reference_patches import ReferencePatches


def main() -> None:
    """Print one row per class and seed, and the mean share of defective images that are listed first per class."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mvtec", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--references", type=int, default=100)
    parser.add_argument("--planted", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", action="append")
    parser.add_argument("--backbone", default="efficientnet-lite2")
    given = parser.parse_args()
    first = 2 * given.planted
    shares: dict[str, list[tuple[float, float]]] = {}
    print(
        f"| class | seed | ranks of {given.planted} defective of {given.references} | in the first {first} | "
        "knowing the good ones | suspects |"
    )
    print("|---|---|---|---|---|---|")
    with Embedder.open(load_settings(backbone=given.backbone)) as embedder:
        for seed in range(given.seeds):
            for product in load_datasets(given.mvtec, given.references - given.planted, seed, given.planted):
                if given.only and product.class_name not in given.only:
                    continue
                images = [_patches(embedder, file) for file in (*product.references, *product.defective)]
                report = audit_references(images, ScoringRule())
                bad = {str(file) for file in product.defective}
                planted = [image.patches.reference.source in bad for image in report.images]
                ranks = [rank for rank, defective in enumerate(planted, 1) if defective]
                caught = sum(rank <= first for rank in ranks)
                known = _ranks_knowing(images, [image.reference.source in bad for image in images])
                suspects = [defective for defective, image in zip(planted, report.images, strict=True) if image.suspect]
                best = sum(rank <= first for rank in known)
                shares.setdefault(product.class_name, []).append((caught / len(ranks), best / len(known)))
                print(
                    f"| {product.class_name} | {seed} | {', '.join(map(str, ranks))} | {caught} | {best} | "
                    f"{sum(suspects)} defective, {len(suspects) - sum(suspects)} good |",
                    flush=True,
                )
    for name, share in shares.items():
        mean, best = np.mean(share, axis=0)
        print(
            f"mean {name}: {mean:.0%} of the defective images are among the first {first}, knowing the good {best:.0%}"
        )


def _ranks_knowing(images: list[ReferencePatches], planted: list[bool]) -> list[int]:
    """Ranks of the planted images by their scores against the good ones, every good one left out in turn."""
    good = [image for image, bad in zip(images, planted, strict=True) if not bad]
    bank = np.concatenate([image.vectors for image in good])
    owners = np.repeat([id(image) for image in good], [len(image.vectors) for image in good])
    scores = []
    for image in images:
        others = (image.vectors @ bank.T)[:, owners != id(image)]
        scores.append(image_score(1.0 - others.max(axis=1), ScoringRule()))
    order = np.argsort(scores)[::-1]
    return [rank for rank, place in enumerate(order, 1) if planted[place]]


def _patches(embedder: Embedder, file: Path) -> ReferencePatches:
    picture = read_image(file)
    embedding = embedder.embed(picture)
    rows, columns = embedding.grid
    reference = Reference(
        picture.image_id, file.name, picture.sha256, "", str(file), *picture.size, rows, columns, thumbnail=b""
    )
    area = InspectedArea.everything(embedding.grid)
    return ReferencePatches(reference, embedding.patches, area.cells.ravel(), whole=True, area=area)


if __name__ == "__main__":
    main()
