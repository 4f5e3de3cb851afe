"""Which patches show the part, and which show only the background.

Patches of a part and patches of a plain background separate along the first principal axis of the patches. AnomalyDINO
(Damm et al. 2025) computes that axis per image. Here axis and threshold belong to the class: they are learned once from
the references and stored with the bank. So index time and request time mask alike, and a large defect cannot turn the
axis.

A background patch is not searched and scores 0; the bank keeps its background patches. In doubt, a patch is foreground.

Where a class has a region of interest, axis and threshold are learned from whole pictures, and everything else from the
inspected cells: the content of ignored cells changes no mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeVar

import numpy as np
from scipy import ndimage

from patchbank.arrays import BoolArray, FloatArray
from patchbank.bank.manifest import Foreground
from patchbank.errors import NoReferences
from patchbank.scoring.inspected_area import InspectedArea


class Sample(NamedTuple):
    """One image: its ``patches`` (N, D), L2-normalised, in row-major order of the grid, and its inspected ``area``."""

    patches: FloatArray
    area: InspectedArea


Item = TypeVar("Item")

SAMPLES: Final = 32
"""Most references used, spread evenly: some ten thousand patches determine one axis well."""

_MAP: Final = 32
"""Side of the map of places, in cells; about the grid of the backbones at their default size."""

_ALWAYS: Final = 0.9
"""A place that is foreground in this share of the references counts in every image. If parts lie anywhere, there are
few such places; if parts always lie alike, the places cover their whole outline."""

_USUAL: Final = 0.2
"""Parts are usual at a place that is foreground in this share of the references, and in at least two of them. A
connected component that touches no such place is not a part."""

_STRAY: Final = 0.01
"""The usual places are used only if at most this share of the references' own foreground touches none of them. It is
the share of patches that makes an image score. Parts that lie anywhere, or too few references, exceed it."""

_LEAST: Final = 0.5
"""A mask with less than this share of the references' usual (median) foreground is not trusted: it hides nothing."""

_CENTRE: Final = 0.6
"""Side of the middle of the picture, as a share of the picture's side; AnomalyDINO's value."""


def foreground_mask(foreground: Foreground, patches: FloatArray, area: InspectedArea) -> BoolArray:
    """Foreground (rows, columns) of one image's patches (N, D): True where a patch counts. Only inspected patches
    count.

    The mask starts with the patches on the part's side of the threshold. Connected components that touch no usual place
    are removed. Since a defect may look like background, the mask is widened by one cell, gaps are closed, holes are
    filled, and the places that are foreground in nearly all references are added. Where far less is left than in the
    references (the part is missing, or this is another scene), the whole image counts.
    """
    inside, grid = area.cells, area.grid
    own = _tidy(_touching(raw_mask(foreground, patches, grid) & inside, _places(foreground, "#+", grid)))
    if not own.any() or own.mean() < foreground.least:
        return inside
    return (own | _places(foreground, "#", grid)) & inside


def learn_foreground(samples: Sequence[Sample]) -> Foreground:
    """Learn axis, threshold and places from the patches of reference images.

    Where the patches of each image are all alike, everything is foreground. Raises ``NoReferences`` where there are no
    samples.
    """
    chosen = spread_out(samples)
    axis = _first_axis(chosen)
    projections = [(sample.patches @ axis).reshape(sample.area.grid) for sample in chosen]
    lean = sum(
        float(values[middle(values.shape)].mean() - values[border(values.shape)].mean()) for values in projections
    )
    if lean < 0:
        axis, projections = -axis, [-projection for projection in projections]
    threshold, _ = otsu(np.concatenate([projection.ravel() for projection in projections]))
    raw = [(projection > threshold) & sample.area.cells for projection, sample in zip(projections, chosen, strict=True)]
    masks = [_tidy(mask) for mask in raw]
    return Foreground(
        axis=tuple(axis.tolist()),
        threshold=threshold,
        least=_LEAST * float(np.median([mask.mean() for mask in masks])),
        places=_map(raw, masks),
    )


def spread_out(samples: Sequence[Item]) -> Sequence[Item]:
    """At most ``SAMPLES`` of the samples, or of their names, spread evenly. Raises ``NoReferences`` where there are
    none."""
    if not samples:
        raise NoReferences("learning the foreground needs at least one reference image")
    return samples[:: -(-len(samples) // SAMPLES)]


def _first_axis(samples: Sequence[Sample]) -> FloatArray:
    """First principal axis (D,) of the patches within images; differences between images, such as their light, are left
    out."""
    dimension = samples[0].patches.shape[1]
    spread = np.zeros((dimension, dimension), dtype=np.float64)
    for patches, _ in samples:
        centred = patches - patches.mean(axis=0)
        spread += (centred.T @ centred) / len(centred)
    return np.asarray(np.linalg.eigh(spread)[1][:, -1], dtype=np.float32)


def otsu(values: FloatArray) -> tuple[float, float]:
    """The cut with the largest variance between its two sides (Otsu 1979), and the share of the whole variance that
    lies between them.

    Values that are all alike have no cut: the threshold is then below any product of unit vectors.
    """
    ordered = np.sort(values.astype(np.float64))
    total = float(ordered.var())
    if total < 1e-10:  # what rounding leaves of a single value
        return -2.0, 0.0
    count = len(ordered)
    below = np.arange(1, count)
    sums = np.cumsum(ordered)
    apart = (sums[-1] - sums[:-1]) / (count - below) - sums[:-1] / below
    between = below / count * (1 - below / count) * apart**2
    best = int(between.argmax())
    return float(ordered[best] + ordered[best + 1]) / 2, float(between[best]) / total


def _map(raw: Sequence[BoolArray], masks: Sequence[BoolArray]) -> tuple[str, ...]:
    """The map of places. It has no ``.`` where the usual places would remove too much of the references' own
    foreground."""
    size = (_MAP, _MAP)
    always = np.mean([_stretch(mask, size) for mask in masks], axis=0) >= _ALWAYS
    usual = np.sum([_stretch(mask, size) for mask in raw], axis=0) >= max(2.0, _USUAL * len(raw))
    kept = sum(np.count_nonzero(_touching(mask, _stretch(usual, mask.shape))) for mask in raw)
    if kept < (1 - _STRAY) * sum(np.count_nonzero(mask) for mask in raw):
        usual[:] = True
    return tuple("".join(row) for row in np.where(always, "#", np.where(usual, "+", ".")))


def raw_mask(foreground: Foreground, patches: FloatArray, grid: tuple[int, int]) -> BoolArray:
    """Patches on the part's side of the threshold, without any correction."""
    return (patches @ np.asarray(foreground.axis, dtype=np.float32) > foreground.threshold).reshape(grid)


def _places(foreground: Foreground, letters: str, grid: tuple[int, ...]) -> BoolArray:
    """Cells of ``grid`` whose place in the map is one of ``letters``."""
    return _stretch(np.array([[place in letters for place in row] for row in foreground.places]), grid)


def _touching(mask: BoolArray, places: BoolArray) -> BoolArray:
    """Connected components of the mask that touch ``places``."""
    labels, _ = ndimage.label(mask, np.ones((3, 3), dtype=np.bool_))
    return np.isin(labels, np.unique(labels[mask & places]))


def _tidy(mask: BoolArray) -> BoolArray:
    """The mask widened by one cell, with gaps closed and holes filled."""
    square = np.ones((3, 3), dtype=np.bool_)
    wide = ndimage.binary_dilation(mask, square, iterations=2)
    closed = ndimage.binary_erosion(wide, square, border_value=1)
    return np.asarray(ndimage.binary_fill_holes(closed), dtype=np.bool_)


def _stretch(mask: BoolArray, grid: tuple[int, ...]) -> BoolArray:
    """The mask resampled to another grid over the same picture."""
    rows, columns = (
        (2 * np.arange(count) + 1) * side // (2 * count) for count, side in zip(grid, mask.shape, strict=True)
    )
    return mask[np.ix_(rows, columns)]


def middle(grid: tuple[int, ...]) -> BoolArray:
    """Cells whose centre lies in the middle of the picture; at least one."""
    rows, columns = (np.abs((np.arange(count) + 0.5) / count - 0.5) <= _CENTRE / 2 for count in grid)
    return np.logical_and.outer(rows, columns)


def border(grid: tuple[int, ...]) -> BoolArray:
    """Cells along the edge of the picture."""
    cells = np.ones(grid, dtype=np.bool_)
    cells[1:-1, 1:-1] = False
    return cells
