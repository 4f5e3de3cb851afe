"""Is each picture one of its class? Asked before anything is taught, robustly: a fifth of the pictures may be bad."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Final, Protocol

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.search_together import FirstLook
from patchbank.bank.store import RouterHit
from patchbank.embedding.stream import Picture, Seen
from patchbank.scoring.frame import frame_fault, learn_limits
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.scoring.odd_ones import FEWEST, odd_ones
from patchbank.teaching.mask_look import looks_like_mask
from patchbank.teaching.meanwhile import Meanwhile
from patchbank.teaching.normal_scores import NormalScore
from patchbank.teaching.panel import SKIPPED, Panel
from patchbank.teaching.set_aside import Oddity, SetAside
from patchbank.teaching.shelf import Shelf

BAD_SHARE: Final = 0.2
"""Share of the references that may be bad; more is no class with a few bad pictures, but a mixture."""

_VOTERS: Final = 5

NearestOf = Callable[[FloatArray, int], Sequence[RouterHit]]
"""The references of all taught classes nearest to a CLS embedding (D',), the most similar first."""


class ReferenceCheck(Protocol):
    """Looks at each picture as it is read, and at all of them at the end."""

    def admit(self, seen: Seen, group: int) -> SetAside | None:
        """Why a picture is set aside at once; None where it may join. ``group`` are pictures that show the same."""
        ...

    def finish(self) -> list[SetAside]:
        """The pictures that joined and should not have."""
        ...

    def passed(self) -> ReferenceCheck:
        """The check for another reading without the odd ones: it asks nothing about references again."""
        ...

    @property
    def remarks(self) -> list[str]:
        """What else people should know, after ``finish``."""
        ...

    @property
    def scored(self) -> Mapping[str, NormalScore]:
        """Scores of pictures, by image id, against the bank that they would join; those that were made."""
        ...

    @property
    def first_looks(self) -> Mapping[str, FirstLook]:
        """What is known of pictures' patches, by image id, from comparing them with each other."""
        ...

    def close(self) -> None:
        """End what is under way."""
        ...


class NoCheck:
    """Takes every picture."""

    def __init__(self, remarks: Sequence[str] = ()) -> None:
        self.remarks: list[str] = list(remarks)
        self.scored: Mapping[str, NormalScore] = {}
        self.first_looks: Mapping[str, FirstLook] = {}

    def passed(self) -> ReferenceCheck:
        return self

    def admit(self, seen: Seen, group: int) -> SetAside | None:
        return None

    def finish(self) -> list[SetAside]:
        return []

    def close(self) -> None:
        """Nothing is under way."""


class NewClassCheck:
    """Compares the references of a new class with each other; a group of pictures that show the same counts once.

    As a whole: the median distance of a picture's patches from those of another reference, and the distance of the CLS
    embeddings; the nearest three tenths of the others don't count. In places: the mean of the highest 1 % of the
    distances, where a patch is normal only if two other references have its like.
    """

    def __init__(self, class_name: str, areas: InspectedAreas, nearest_of: NearestOf, shelf: Shelf) -> None:
        self._class_name = class_name
        self._nearest_of = nearest_of
        self._meanwhile = Meanwhile()
        self._panel = Panel(areas, shelf, self._meanwhile)
        self._masks: dict[str, Future[bool]] = {}
        self._members: dict[int, list[Picture]] = {}
        self._cls: list[FloatArray] = []
        self.remarks: list[str] = []
        self.scored: Mapping[str, NormalScore] = {}
        self.first_looks: Mapping[str, FirstLook] = {}

    def admit(self, seen: Seen, group: int) -> SetAside | None:
        picture, members = seen.picture, self._members.setdefault(group, [])
        members.append(picture)
        self._masks[picture.image_id] = self._meanwhile.begin(partial(looks_like_mask, picture.thumbnail))
        if len(members) == 1:
            self._cls.append(seen.embedding.cls)
            self._panel.add(picture.image_id, seen.embedding)
        return None

    def passed(self) -> ReferenceCheck:
        return NoCheck(self.remarks)

    def finish(self) -> list[SetAside]:
        measured = self._panel.finish()
        self.first_looks = self._panel.first_looks()
        count = len(self._members)
        if count < FEWEST:
            self.remarks.append(
                f"references were not compared with each other: that takes {FEWEST} pictures of different parts"
            )
            return []
        places = np.array([each.places for each in measured])
        wholes = np.array([each.whole for each in measured])
        apart = 1.0 - np.stack(self._cls) @ np.stack(self._cls).T
        np.fill_diagonal(apart, np.inf)
        beyond = np.sort(apart, axis=1)[:, min(math.ceil(SKIPPED * (count - 1)), count - 2)]
        unlike = odd_ones(wholes, rare=True) | odd_ones(np.maximum(beyond, 0.0), rare=True)
        local = odd_ones(places)
        odd: list[SetAside] = []
        for number, pictures in enumerate(self._members.values()):
            if unlike[number] or local[number]:
                reason: Oddity = "unlike_references" if unlike[number] else "local_oddity"
                odd += [SetAside(picture, reason) for picture in pictures]
        return self._named(odd, apart)

    def close(self) -> None:
        self._meanwhile.close()

    def _named(self, odd: Sequence[SetAside], apart: FloatArray) -> list[SetAside]:
        """The same with what is more telling put in the place of what is less: a fault, a mask, another class."""
        pictures = [picture for members in self._members.values() for picture in members]
        named = {aside.picture.image_id: aside for aside in odd}
        usual = learn_limits([p.frame for p in _middle(pictures) if p.image_id not in named])
        masks = {image_id for image_id, mask in self._masks.items() if mask.result()}
        for picture in pictures:
            fault = None if usual is None else frame_fault(picture.frame, usual)
            if picture.image_id in masks and 2 * len(masks) < len(pictures):
                named[picture.image_id] = SetAside(picture, "mask")
            elif fault is not None:  # another product may be less sharp, or have less contrast
                unlike = picture.image_id in named and fault in ("blank", "blurred")
                reason: Oddity = "unlike_references" if unlike else "bad_frame"
                named[picture.image_id] = SetAside(picture, reason, f"{fault}, compared with the other references")
        alike, foreign = self._of_another_class(apart)
        if len(alike) > BAD_SHARE * len(pictures):
            names = sorted({aside.detail for aside in alike})
            self.remarks.append(
                f"{len(alike)} of {len(pictures)} references look like those of {', '.join(names)}: class retrieval "
                "cannot tell these products apart, so name the class when images are judged"
            )
        else:
            named.update({aside.picture.image_id: aside for aside in foreign})
        return list(named.values())

    def _of_another_class(self, apart: FloatArray) -> tuple[list[SetAside], list[SetAside]]:
        """The pictures of whose five nearest references most are of one other class, and those of which all are."""
        alike, foreign = [], []
        for number, pictures in enumerate(self._members.values()):
            own = 1.0 - np.sort(apart[number])[:_VOTERS]
            hits = self._nearest_of(self._cls[number], _VOTERS)
            # An own reference is among the five where fewer than five others are as near.
            votes = Counter(
                hit.class_name for place, hit in enumerate(hits) if hit.similarity >= own[_VOTERS - 1 - place]
            )
            for name, count in votes.most_common(1):
                if name != self._class_name and 2 * count > _VOTERS:
                    aside = [SetAside(picture, "other_class", repr(name)) for picture in pictures]
                    alike += aside
                    foreign += aside if count == _VOTERS else []
        return alike, foreign


def _middle(pictures: Sequence[Picture]) -> list[Picture]:
    """The pictures without the fifth that is least sharp and the fifth of the least contrast."""
    skipped = int(BAD_SHARE * len(pictures))
    blurred = sorted(pictures, key=lambda picture: picture.frame.sharpness)[:skipped]
    flat = sorted(pictures, key=lambda picture: picture.frame.contrast)[:skipped]
    out = {picture.image_id for picture in (*blurred, *flat)}
    return [picture for picture in pictures if picture.image_id not in out]
