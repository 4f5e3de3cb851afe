"""What a bank version knows of normal images: the values that recent detections are compared with."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError

from patchbank.bank.manifest import Calibration
from patchbank.bank.reference import Reference
from patchbank.bank.store import Bank
from patchbank.images.frame_facts import brightness
from patchbank.scoring.class_retrieval import leave_one_out_similarity
from patchbank.scoring.drift_state import Quantity
from patchbank.teaching.sightings import Sightings


@dataclass(frozen=True)
class NormalImages:
    """``values`` of normal images, which need not be the same ones for each quantity; those of ``shared`` quantities
    were made by leaving references out of the bank. ``references`` are
    the image ids that the bank holds, ``notes`` tell what is left out."""

    values: Mapping[Quantity, Sequence[float]]
    shared: frozenset[Quantity]
    references: frozenset[str]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, bank: Bank) -> NormalImages:
        """Reads the references, with their thumbnails: once per version, not for every look.

        What shows the same, and each series, counts once. Pictures that were accepted from detections do not count:
        they were chosen because they are unusual.
        """
        calibration = bank.manifest.calibration
        references = bank.references()
        by_id = {reference.image_id: reference for reference in references}
        image_ids, vectors = bank.cls_vectors()
        numbers = _numbers(image_ids, references, calibration)
        firsts = [int(place) for place in np.unique(numbers, return_index=True)[1]]
        counted = [not by_id[image_ids[place]].accepted_from for place in firsts]
        similarities = leave_one_out_similarity(vectors, numbers)
        lights = [_brightness(by_id[image_ids[place]].thumbnail) for place in firsts]
        values: dict[Quantity, Sequence[float]] = {
            "score": _independent_scores(calibration),
            "similarity": [float(value) for value, counts in zip(similarities, counted, strict=False) if counts],
            "brightness": [
                light for light, counts in zip(lights, counted, strict=True) if counts and light is not None
            ],
        }
        shared: set[Quantity] = {"similarity"}
        if calibration.method == "leave-one-image-out":
            shared.add("score")
        return cls(values, frozenset(shared), frozenset(image_ids), _notes(calibration))


def _numbers(image_ids: Sequence[str], references: Sequence[Reference], calibration: Calibration) -> list[int]:
    """The number of the group of each reference."""
    groups = Sightings(references).groups()
    if groups.any_together(set(calibration.images) - {""}):  # each counted for itself when the class was taught
        groups = Sightings(references, apart=True).groups()
    return groups.numbers(image_ids)


def _independent_scores(calibration: Calibration) -> list[float]:
    """Calibration scores that are not stale, one of each series."""
    stale = set(calibration.stale)
    images = calibration.images or ("",) * calibration.count
    series = calibration.series or ("",) * calibration.count
    told: set[str] = set()
    scores = []
    for score, image, name in zip(calibration.scores, images, series, strict=True):
        if image in stale or name in told:
            continue
        if name:
            told.add(name)
        scores.append(score)
    return scores


def _brightness(thumbnail: bytes) -> float | None:
    """None where a bank keeps no picture."""
    try:
        picture = Image.open(io.BytesIO(thumbnail))
    except UnidentifiedImageError:
        return None
    with picture:
        return brightness(np.asarray(picture.convert("RGB"), dtype=np.uint8))


def _notes(calibration: Calibration) -> tuple[str, ...]:
    if not calibration.stale_count:
        return ()
    return (
        f"{calibration.stale_count} of {calibration.count} calibration scores are not compared until they are made "
        "again: they rest on references that were withdrawn",
    )
