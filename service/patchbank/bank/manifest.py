"""What is stored with a bank: how it was made, how it scores, and where its threshold comes from."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from patchbank.arrays import FloatArray
from patchbank.bank.defect_record import DefectRecord
from patchbank.bank.frame_limits import FrameLimits
from patchbank.bank.names import BankRef, check_version
from patchbank.bank.part import Part
from patchbank.bank.pixel_range import PixelRange
from patchbank.bank.region_of_interest import RegionOfInterest
from patchbank.bank.resolution import Resolution
from patchbank.bank.sealed_document import is_sealed, sealed, unsealed
from patchbank.bank.subspace_record import SubspaceRecord
from patchbank.bank.support import Support
from patchbank.errors import NewerLayout
from patchbank.scales import BASE, Scales
from patchbank.settings import REVIEW_FAR

LAYOUT: Final = 5
"""The newest layout of manifests. Since 2 a bank is made of parts; since 3 a calibration knows its images; since 4 a
class has known defects; since 5 parts have digests and stored manifests a checksum."""

_SEALED_FROM: Final = 5
_MOST_DIMS: Final = 1 << 16
_MOST_COUNTED: Final = 1 << 40
_FINEST: Final = 32.0
"""Largest factor of an input scale that is accepted; each takes the square of it in memory."""
_SLACK: Final = 1e-3
"""Rounding: a distance may be that much above 2, a length that much beside 1."""

_Distance = Annotated[float, Field(ge=0, le=2 + _SLACK)]
_Rate = Annotated[float, Field(ge=0, le=1)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Count = Annotated[int, Field(ge=0, le=_MOST_COUNTED)]
_Dim = Annotated[int, Field(ge=1, le=_MOST_DIMS)]


Reason = Literal[
    "taught",
    "extended",
    "accepted",
    "withdrawn",
    "recalibrated",
    "scored again",
    "rebuilt",
    "tuned",
    "compacted",
    "known defects",
    "copied or restored",
    "unknown",
]
"""Why a version was made."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class BackboneFacts(_Frozen):
    """The backbone that made the embeddings. Embeddings of different fingerprints are never compared."""

    name: str
    sha256: str
    fingerprint: str


class SelfTest(_Frozen):
    """The backbone's embedding of a fixed picture when the class was taught.

    ``picture`` names the picture; ``patches`` (K, D) and ``cls`` (D',) are base64 of little-endian float32; ``runtime``
    says, for people, what computed them.
    """

    picture: str
    patches: str
    cls: str
    runtime: dict[str, str]

    @field_validator("patches", "cls")
    @classmethod
    def _is_finite(cls, value: str) -> str:
        _floats(value)
        return value


class Coreset(_Frozen):
    """Result of the coreset step. ``radius`` is the largest cosine distance of a dropped patch to a kept one.

    So many references were ``withdrawn`` since: patches of others that their patches stood for are missing.
    """

    ratio: _Share
    seen: _Count
    radius: _Distance
    withdrawn: _Count = 0


class ScoringRule(_Frozen):
    """How patch distances become an image score and a map. Fixed when the class is taught: thresholds depend on it.

    ``patch_score``: ``nearest`` is the mean cosine distance (0..2) to so many ``neighbours`` among the normal patches,
    ``subspace`` half the squared distance to the subspace in which they vary.
    ``image_score``: ``top`` is the mean of the highest patch scores, the ``share`` of all (at least one patch), ``max``
    the highest one; ``top1``, of older banks, is ``top`` at 1 %.
    ``smoothing``: standard deviation of the map's Gaussian, in grid cells.
    """

    patch_score: Literal["nearest", "subspace"] = "nearest"
    neighbours: int = Field(default=1, ge=1, le=50)
    image_score: Literal["top", "top1", "max"] = "top"
    share: float = Field(default=0.003, gt=0, le=1)
    smoothing: float = Field(default=0.5, ge=0, le=10)


class Foreground(_Frozen):
    """The foreground of a class: patches whose product with ``axis`` is above ``threshold``.

    ``axis`` (D,) has unit length and points from background to part. ``places`` is a square map of the picture, row by
    row: ``#`` where every image counts, ``+`` where parts are usual, ``.`` elsewhere. ``least`` is the share of
    foreground below which a mask is not trusted.
    """

    axis: tuple[float, ...]
    threshold: float
    least: _Share
    places: tuple[str, ...]

    @field_validator("axis")
    @classmethod
    def _is_unit(cls, axis: tuple[float, ...]) -> tuple[float, ...]:
        length = float(np.linalg.norm(axis))
        if abs(length - 1.0) > _SLACK:
            raise ValueError(f"an axis of length {length:g}, not 1")
        return axis


class Calibration(_Frozen):
    """Scores of normal images that the bank does not hold, and the thresholds computed from them.

    ``threshold`` is for image scores: at most the share ``target_far`` of normal images is above it. What is above the
    threshold of the rate ``review_far`` is for review; that threshold follows from the scores. With a ``confidence``,
    both hold with it, else on average.

    ``pixel_threshold`` is for the map: at most the share ``pixel_target_far`` of normal images has any pixel above it.
    It is computed from ``peaks``, the highest map values; a bank calibrated without them cuts its map at ``threshold``.

    ``peaks`` and ``series``, the names of the images' series (empty: alone), are parallel to ``scores``; there is no
    ``series`` where each image is alone. Peaks of older banks are in an order of their own.

    ``set_aside`` images were left out because they are unlike the others; they count as alarms in all that is promised.
    ``together`` images were left out because they show the same as another one.

    ``reachable`` is False where the images are too few for the target rate: the threshold is then the highest score
    seen.

    ``images``, parallel to ``scores``, are image ids (empty: not known; none in older banks), and ``support`` says
    which references each score rests on (None: each may rest on any). Scores of the images ``stale`` were made with a
    reference that has been withdrawn since: they may be too low, never too high, and so may the thresholds. The empty
    id among them stands for all images that are not known.
    """

    method: Literal["leave-one-image-out", "held-out"]
    target_far: _Rate
    threshold: float
    reachable: bool
    scores: tuple[float, ...]
    pixel_target_far: _Rate | None = None
    pixel_threshold: float | None = None
    peaks: tuple[float, ...] = ()
    set_aside: _Count = 0
    together: _Count = 0
    review_far: _Rate | None = None
    confidence: _Rate | None = None
    series: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    support: Support | None = None

    @property
    def review_rate(self) -> float:
        """The rate of review that applies: never below the target rate, the usual one where none was asked for."""
        return max(self.target_far, REVIEW_FAR if self.review_far is None else self.review_far)

    @property
    def mask_threshold(self) -> float:
        """The threshold at which the map is cut."""
        return self.threshold if self.pixel_threshold is None else self.pixel_threshold

    @property
    def count(self) -> int:
        """Number of calibration images."""
        return len(self.scores)

    @property
    def stale_count(self) -> int:
        """Number of scores that may be too low."""
        stale = set(self.stale)
        return sum(image in stale for image in self.images or [""] * self.count)


class RetrievalLimit(_Frozen):
    """When an image is of this class.

    It is if its CLS embedding is at least as similar to the nearest reference as ``similarity``, or if its patches'
    residuals against the nearest references are no more coherent than ``coherence``. ``similarity`` was computed from
    ``count`` references, ``coherence`` from ``witnesses`` of them. ``similarity`` may be below -1, 1 less a
    multiple of a distance: it lets every image through.
    """

    similarity: float = Field(ge=-3 - _SLACK, le=1 + _SLACK)
    coherence: float = Field(ge=-1 - _SLACK, le=1 + _SLACK)
    count: _Count
    witnesses: _Count


class Manifest(_Frozen):
    """The bank's own description: everything that a service needs to serve the bank, or to refuse it.

    Every value is checked, since a manifest may come from anywhere: distances are 0..2, rates 0..1, and all numbers of
    vectors are as many as the dimensions say.
    """

    layout: Literal[1, 2, 3, 4, 5] = LAYOUT
    class_name: str
    version: str
    created_at: str
    reason: Reason | None = None
    backbone: BackboneFacts
    scales: Scales = BASE
    patch_dim: _Dim
    cls_dim: _Dim
    references: _Count
    patches: _Count
    coreset: Coreset | None = None
    scoring: ScoringRule = ScoringRule()
    foreground: Foreground | None = None
    roi: RegionOfInterest | None = None
    calibration: Calibration
    retrieval: RetrievalLimit
    self_test: SelfTest | None = None
    pixel_range: PixelRange | None = None
    frames: FrameLimits | None = None
    resolution: Resolution | None = None
    parts: tuple[Part, ...] = ()
    subspace: SubspaceRecord | None = None
    defects: tuple[DefectRecord, ...] = ()

    @field_validator("scales")
    @classmethod
    def _is_affordable(cls, scales: Scales) -> Scales:
        if scales.finest > _FINEST:
            raise ValueError(f"an input scale of {scales.finest:g} times the usual size")
        return scales

    @field_validator("calibration")
    @classmethod
    def _has_scores_that_can_be(cls, calibration: Calibration) -> Calibration:
        thresholds = [calibration.threshold, calibration.mask_threshold]
        if not all(0 <= threshold <= 2 + _SLACK for threshold in thresholds):
            raise ValueError("a threshold that is no distance, 0 to 2")
        if any(score < 0 for score in (*calibration.scores, *calibration.peaks)):
            raise ValueError("a score below 0")
        return calibration

    @field_validator("version")
    @classmethod
    def _names_a_folder(cls, version: str) -> str:
        return check_version(version)

    @model_validator(mode="after")
    def _fits_its_dimensions(self) -> Manifest:
        if self.foreground is not None and len(self.foreground.axis) != self.patch_dim:
            raise ValueError(f"a foreground's axis of {len(self.foreground.axis)} numbers, not {self.patch_dim}")
        if self.subspace is not None and len(self.subspace.arrays()[0]) != self.patch_dim:
            raise ValueError(f"a subspace of other vectors than those of {self.patch_dim} numbers")
        if self.self_test is not None and len(_floats(self.self_test.cls)) != self.cls_dim:
            raise ValueError(f"a self-test of other vectors than those of {self.cls_dim} numbers")
        for defect in self.defects:
            if defect.vectors().shape[1] != self.patch_dim:
                raise ValueError(f"a known defect of other vectors than those of {self.patch_dim} numbers")
        return self

    @property
    def shares(self) -> tuple[Part, ...]:
        """The parts that it is made of; a bank of layout 1 is its own only part."""
        return self.parts or (Part(version=self.version, references=self.references, patches=self.patches),)

    @property
    def inspected_percentage(self) -> float:
        """Share of the picture that is inspected, 100 without a mask."""
        return 100.0 if self.roi is None else 100.0 * self.roi.share

    @property
    def ref(self) -> BankRef:
        """Class and version."""
        return BankRef(self.class_name, self.version)


def read_manifest(stored: Any) -> Manifest:
    """The manifest that was stored as this JSON document. Raises ``NewerLayout``, and ``ValueError`` for anything else
    that is no manifest, or whose checksum does not fit."""
    layout = stored.get("layout") if isinstance(stored, dict) else None
    if isinstance(layout, int) and layout > LAYOUT:
        raise NewerLayout(
            f"the bank was written by a newer Patchbank: its layout is {layout}, and this one reads up to {LAYOUT}. "
            "Update Patchbank, or activate an older version of the class"
        )
    if isinstance(layout, int) and layout >= _SEALED_FROM and not is_sealed(stored):
        raise ValueError("it has lost its checksum")
    return Manifest.model_validate(unsealed(stored))


def stored_manifest(manifest: Manifest) -> dict[str, Any]:
    """The manifest as stores keep it: plain JSON with a checksum."""
    return sealed(manifest.model_dump(mode="json"))


def _floats(text: str) -> FloatArray:
    """The numbers of base64 of little-endian float32. Raises ``ValueError`` where they are not finite."""
    values = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").astype(np.float32)
    if not len(values) or not np.isfinite(values).all():
        raise ValueError("vectors that hold numbers that are not finite, or none")
    return values
