"""From upright RGB pixels to the network's input, and the way back from grid cells to original pixels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from PIL import Image

from patchbank.arrays import ByteArray, FloatArray
from patchbank.embedding.backbones import Backbone
from patchbank.images import DECODER
from patchbank.scales import BASE, Scales

RULES: Final = 1
"""Version of the rules in this file; part of the fingerprint."""

_ROWS: Final = 16
"""Rows that are normalised at once: they stay in the processor's cache."""

_BACKBONES: Final = 64


@dataclass(frozen=True)
class Geometry:
    """How the grid lies on the original image. It always covers the whole image with cells of equal size.

    ``image`` is (width, height) of the upright original, ``inputs`` (width, height) of the network's input,
    ``grid`` (rows, columns). Where several scales are fused on one grid, ``inputs`` are those of the finest scale, and
    ``finest`` is that scale's own grid.
    """

    image: tuple[int, int]
    inputs: tuple[int, int]
    grid: tuple[int, int]
    finest: tuple[int, int] | None = None


def plan_geometry(image: tuple[int, int], backbone: Backbone) -> Geometry:
    """The input's sides as the backbone's size rule says, and the grid that they make."""
    wide, high = backbone.size.sides(image, backbone.multiple)
    return Geometry(image, (wide, high), (high // backbone.stride, wide // backbone.stride))


def plan_levels(image: tuple[int, int], backbone: Backbone, scales: Scales) -> tuple[Geometry, ...]:
    """The geometry at each of the scales, in their order."""
    return tuple(plan_geometry(image, backbone.scaled(factor)) for factor in scales.factors)


def plan_fused(image: tuple[int, int], backbone: Backbone, scales: Scales) -> Geometry:
    """How the patches of all scales together lie on the image."""
    finest = plan_geometry(image, backbone.scaled(scales.finest))
    if scales == BASE:
        return finest
    return Geometry(image, finest.inputs, plan_geometry(image, backbone.scaled(scales.grid)).grid, finest.grid)


def to_input(pixels: ByteArray, geometry: Geometry, backbone: Backbone) -> FloatArray:
    """float32 (3, H, W): resized (bicubic, antialiased), 0..1, normalised with the backbone's mean and std."""
    if pixels.shape[1::-1] == geometry.inputs:
        return normalised(pixels, backbone)
    bands = _resampled(pixels, geometry).split()  # Pillow takes bands apart faster than NumPy reads every third byte
    return _normalised([np.asarray(band) for band in bands], backbone)


def resized(pixels: ByteArray, geometry: Geometry) -> ByteArray:
    """Pixels (H, W, 3) of the input's size."""
    return pixels if pixels.shape[1::-1] == geometry.inputs else np.asarray(_resampled(pixels, geometry))


def _resampled(pixels: ByteArray, geometry: Geometry) -> Image.Image:
    return Image.fromarray(pixels).resize(geometry.inputs, Image.Resampling.BICUBIC)


def normalised(resized: ByteArray, backbone: Backbone) -> FloatArray:
    """float32 (3, H, W) of pixels (H, W, 3) that have the input's size."""
    return _normalised([resized[:, :, band] for band in range(3)], backbone)


def _normalised(bands: Sequence[ByteArray], backbone: Backbone) -> FloatArray:
    planes = np.empty((3, *bands[0].shape), dtype=np.float32)
    for plane, band, mean, std in zip(planes, bands, backbone.mean, backbone.std, strict=True):
        factor, offset = _line(mean, std)
        held = np.empty((min(_ROWS, len(band)), band.shape[1]), dtype=factor.dtype)
        for begin in range(0, len(band), _ROWS):
            rows = held[: len(band) - begin]
            rows[:] = band[begin : begin + _ROWS]
            rows *= factor
            rows -= offset
            plane[begin : begin + _ROWS] = rows
    return planes


@lru_cache(_BACKBONES)
def _line(mean: float, std: float) -> tuple[np.floating[Any], np.floating[Any]]:
    """Factor and offset of one band: value x factor - offset is what is normalised. In float32 where that is exact for
    all 256 values, in float64, rounded once, where it is not."""
    levels = np.arange(256, dtype=np.uint8)
    exact = ((levels / 255.0 - mean) / std).astype(np.float32)
    factor, offset = np.float64(1.0 / (255.0 * std)), np.float64(mean / std)
    short = np.float32(factor), np.float32(offset)
    return short if np.array_equal(levels * short[0] - short[1], exact) else (factor, offset)


def _joined(backbone: Backbone) -> list[object]:
    """Nothing where one output alone gives patch tokens, as it was in fingerprints before several could."""
    return [backbone.more_outputs, backbone.join] if backbone.more_outputs else []


def fingerprint(backbone: Backbone, model_sha256: str, precision: str = "fp32") -> str:
    """16 hex digits that change with everything that could change a picture's embedding."""
    facts = {
        "backbone": backbone.name,
        "model": model_sha256,
        "size": str(backbone.size),
        "multiple": backbone.multiple,
        "stride": backbone.stride,
        "mean": backbone.mean,
        "std": backbone.std,
        "tokens": [backbone.tokens, backbone.patch_output, backbone.cls_output, backbone.registers, *_joined(backbone)],
        "precision": precision,  # bf16 may change a patch's embedding by more than a defect does
        "rules": RULES,
        "decoder": DECODER,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
