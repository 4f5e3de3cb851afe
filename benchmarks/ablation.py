"""What each detection option is worth: ``python -m benchmarks.ablation`` prints image AUROC per option and class.

Every option changes one thing of the defaults (nearest patch, mean of the top 1 % of patch scores, nothing smoothed
before the score). Searches are exhaustive over all patches of the references, so no difference comes from the index.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.datasets import load_datasets
from patchbank.arrays import FloatArray, IntArray
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.embedding import Embedding
from patchbank.images import read_image
from patchbank.scoring.anomaly_map import enlarge, smooth
from patchbank.scoring.curve import Curve
from patchbank.scoring.inspected_area import InspectedArea
from patchbank.settings import load_settings

NEIGHBOURS: Final = 9
_USUAL: Final = (32, 32)
"""Grid on which a class's usual score per place is kept."""


@dataclass(frozen=True)
class References:
    """The bank: ``patches`` (M, D) of all references, those of image i from row ``starts[i]`` on; ``cls`` (R, D');
    ``places`` (M, 2) in 0..1 of the picture; ``usual``, the mean score per place of left-out references."""

    patches: FloatArray
    starts: IntArray
    cls: FloatArray
    places: FloatArray
    usual: FloatArray


@dataclass(frozen=True)
class Compared:
    """An image against the bank: cosine distance of every patch (N,) to all (M) normal patches, to the nearest patch of
    each reference (N, R), and to the nearest ones of all (N, 9), ascending, with their numbers."""

    embedding: Embedding
    distances: FloatArray
    per_image: FloatArray
    nearest: FloatArray
    ids: IntArray

    def grid(self, scores: FloatArray) -> FloatArray:
        """(rows, columns) of scores (N,)."""
        return scores.reshape(self.embedding.grid)


Option = Callable[[References, Compared], float]


def compare(bank: References, embedding: Embedding, left_out: int | None = None) -> Compared:
    """Compare with every patch of the bank, except those of the reference number ``left_out``."""
    distances = 1.0 - embedding.patches @ bank.patches.T
    if left_out is not None:
        ends = np.append(bank.starts[1:], len(bank.patches))
        distances[:, bank.starts[left_out] : ends[left_out]] = 2.0
    per_image = np.minimum.reduceat(distances, bank.starts, axis=1)
    # The k nearest references hold at least k patches up to that distance, so none of the k nearest patches is farther.
    limit = np.partition(per_image, NEIGHBOURS - 1, axis=1)[:, NEIGHBOURS - 1 : NEIGHBOURS]
    rows, ids = np.nonzero(distances <= limit)
    order = np.lexsort((distances[rows, ids], rows))
    first = np.searchsorted(rows, np.arange(len(distances)))
    ids = ids[order][first[:, None] + np.arange(NEIGHBOURS)]
    return Compared(embedding, distances, per_image, np.take_along_axis(distances, ids, axis=1), ids)


def top(scores: FloatArray, share: float = 0.01) -> float:
    """Mean of the highest share."""
    flat = scores.ravel()
    count = max(1, round(share * flat.size))
    return float(np.partition(flat, flat.size - count)[flat.size - count :].mean())


def neighbours(k: int) -> Option:
    """Mean distance to k nearest patches."""
    return lambda _, compared: top(compared.nearest[:, :k].mean(axis=1))


def weighted(scale: float) -> Option:
    """Mean over nine neighbours, weighted by how near they are."""

    def score(bank: References, compared: Compared) -> float:
        weights = np.exp((compared.nearest[:, :1] - compared.nearest) / scale)
        return top((weights * compared.nearest).sum(axis=1) / weights.sum(axis=1))

    return score


def highest(share: float) -> Option:
    """Mean of another share of the highest patch scores."""
    return lambda _, compared: top(compared.nearest[:, 0], share)


def reweighted(bank: References, compared: Compared) -> float:
    """PatchCore's image score (Roth et al. 2022, equation 7): the highest distance, lowered where other normal
    patches around the nearest one are as far away."""
    worst = int(compared.nearest[:, 0].argmax())
    around = np.argpartition(-(bank.patches @ bank.patches[compared.ids[worst, 0]]), NEIGHBOURS)[:NEIGHBOURS]
    lengths = np.sqrt(2.0 * np.maximum(compared.distances[worst, around], 0.0))
    length = float(np.sqrt(2.0 * max(compared.nearest[worst, 0], 0.0)))
    return float(1.0 - np.exp(length) / np.exp(lengths).sum()) * length


def _smoothed(compared: Compared, sigma: float) -> FloatArray:
    scores = compared.grid(compared.nearest[:, 0])
    return smooth(scores, sigma, InspectedArea.everything((scores.shape[0], scores.shape[1])))


def smoothed(sigma: float) -> Option:
    """Mean of the top patch scores after smoothing them; ``sigma`` in grid cells."""
    return lambda _, compared: top(_smoothed(compared, sigma))


def alike(count: int) -> Option:
    """Compare with the patches of the most similar references alone, by CLS embedding (RAD, arXiv 2601.22763)."""

    def score(bank: References, compared: Compared) -> float:
        chosen = np.argsort(-(bank.cls @ compared.embedding.cls))[:count]
        return top(compared.per_image[:, chosen].min(axis=1))

    return score


def nearby(radius: float) -> Option:
    """Compare with patches at about the same place alone: at most ``radius`` away, as a share of the picture's side."""

    def score(bank: References, compared: Compared) -> float:
        here = places(compared.embedding.grid)
        nearest = np.empty(len(here), dtype=np.float32)
        for row in np.unique(here[:, 0]):  # row by row, so that few pairs are looked at
            own = np.flatnonzero(here[:, 0] == row)
            level = np.flatnonzero(np.abs(bank.places[:, 0] - row) <= radius)
            far = np.abs(here[own, 1][:, None] - bank.places[level, 1]) > radius
            nearest[own] = np.where(far, np.float32(2.0), compared.distances[np.ix_(own, level)]).min(axis=1)
        return top(nearest)

    return score


def unusual(power: float) -> Option:
    """Patch scores divided by what normal images usually score at that place."""

    def score(bank: References, compared: Compared) -> float:
        rows, columns = compared.embedding.grid
        return top(compared.grid(compared.nearest[:, 0]) / enlarge(bank.usual, (columns, rows)) ** power)

    return score


def contrast(part: float) -> Option:
    """The image score less a share of the image's own median patch score."""
    return lambda _, compared: top(compared.nearest[:, 0]) - part * float(np.median(compared.nearest[:, 0]))


OPTIONS: Final[dict[str, Option]] = {
    "defaults": neighbours(1),
    **{f"{k} neighbours, mean": neighbours(k) for k in (3, 5, 9)},
    **{f"9 neighbours, weighted exp(-d / {scale})": weighted(scale) for scale in (0.02, 0.1)},
    "highest patch": lambda _, compared: float(compared.nearest[:, 0].max()),
    **{f"top {share:.1%}": highest(share) for share in (0.005, 0.02, 0.05, 0.1)},
    "PatchCore's reweighting (b = 9)": reweighted,
    **{f"smoothed by {sigma} cells": smoothed(sigma) for sigma in (0.5, 1.0, 2.0)},
    **{f"{count} references most alike": alike(count) for count in (5, 10, 20, 50)},
    **{f"same place, within {radius:.0%}": nearby(radius) for radius in (0.05, 0.1, 0.2)},
    **{f"over the place's usual score ^ {power}": unusual(power) for power in (0.5, 1.0)},
    **{f"less {part} of the image's median": contrast(part) for part in (0.25, 0.5)},
}


def places(grid: tuple[int, int]) -> FloatArray:
    """Centres of the cells (N, 2), row and column in 0..1."""
    rows, columns = grid
    down, right = np.mgrid[0:rows, 0:columns]
    return np.stack([(down.ravel() + 0.5) / rows, (right.ravel() + 0.5) / columns], axis=1).astype(np.float32)


def build(embeddings: list[Embedding]) -> References:
    """The bank of all patches, and each place's mean score when every image is compared with the others."""
    sizes = [len(embedding.patches) for embedding in embeddings]
    bank = References(
        np.concatenate([embedding.patches for embedding in embeddings]),
        np.cumsum([0, *sizes[:-1]]),
        np.stack([embedding.cls for embedding in embeddings]),
        np.concatenate([places(embedding.grid) for embedding in embeddings]),
        np.ones(_USUAL, dtype=np.float32),
    )
    total = np.zeros(_USUAL, dtype=np.float32)
    for place, embedding in enumerate(embeddings):
        compared = compare(bank, embedding, left_out=place)
        total += enlarge(_smoothed(compared, 1.0), _USUAL)
    return replace(bank, usual=total / np.float32(len(embeddings)))


def main() -> None:
    """Print one row per option and one column per class."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mvtec", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--references", type=int, default=100)
    parser.add_argument("--cap", type=int, default=125)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append")
    parser.add_argument("--backbone", default="efficientnet-lite2")
    given = parser.parse_args()
    aurocs: dict[str, list[float]] = {}
    with Embedder.open(load_settings(backbone=given.backbone)) as embedder:
        for product in load_datasets(given.mvtec, given.references, given.seed, given.cap):
            if given.only and product.class_name not in given.only:
                continue
            bank = build([_embed(embedder, file) for file in product.references])
            scores = [[_scores(bank, embedder, file) for file in kind] for kind in (product.good, product.defective)]
            aurocs[product.class_name] = [
                Curve.of_scores(*([image[place] for image in kind] for kind in scores)).auroc
                for place in range(len(OPTIONS))
            ]
    print(f"| option | {' | '.join(aurocs)} | mean |")
    print("|---" * (len(aurocs) + 2) + "|")
    for place, name in enumerate(OPTIONS):
        row = [areas[place] for areas in aurocs.values()]
        print(f"| {name} | {' | '.join(f'{area:.4f}' for area in row)} | {np.mean(row):.4f} |")


def _scores(bank: References, embedder: Embedder, file: Path) -> list[float]:
    compared = compare(bank, _embed(embedder, file))
    return [option(bank, compared) for option in OPTIONS.values()]


def _embed(embedder: Embedder, file: Path) -> Embedding:
    return embedder.embed(read_image(file))


if __name__ == "__main__":
    main()
