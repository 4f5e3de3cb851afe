"""What an inspection says."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from patchbank.arrays import BoolArray, FloatArray
from patchbank.images import DecodedImage
from patchbank.judging.decision import Decision, Reason
from patchbank.judging.known_defects import NamedDefect
from patchbank.scoring.class_retrieval import Retrieval
from patchbank.scoring.frame_fault import FrameFault
from patchbank.scoring.regions import Region


@dataclass(frozen=True)
class NearestPatch:
    """The normal patch that a patch was compared with: where it lies in its reference image, whose ``width`` and
    ``height`` are in pixels."""

    reference_id: str
    name: str
    box: tuple[int, int, int, int]
    distance: float
    width: int
    height: int


@dataclass(frozen=True)
class Explained:
    """A region with the known defect that it shows, None where it shows none; and, where asked for, its nearest normal
    patch."""

    region: Region
    nearest: NearestPatch | None = None
    defect: NamedDefect | None = None

    def as_dict(self) -> dict[str, Any]:
        """The region as REST and command line tell of it."""
        region = self.region
        nearest = None if self.nearest is None else asdict(self.nearest)
        defect = None if self.defect is None else asdict(self.defect)
        return {
            "box": region.box,
            "score": region.score,
            "peak": region.peak,
            "area": region.area,
            "nearest": nearest,
            "defect": defect,
        }


@dataclass(frozen=True)
class Verdict:
    """What a bank says of an image. ``map`` is float32 (H, W) at the original size, in units of the score.

    ``reasons`` say why it is anomalous: ``score``, it is above the threshold; ``unlike_class``, the image is no picture
    of the class that the caller named; ``known_defect``, it shows a known defect of the class; ``bad_frame``, the
    camera did not work. Without a reason it is normal.

    ``threshold`` is the one applied to the score, ``calibrated_threshold`` the bank's own; above ``review_threshold``,
    which is never higher, an image that is not anomalous is for review. ``pixel_threshold`` is the one applied to the
    map: regions and ``anomalous_share`` are of the pixels above it; a known defect is a region even where it is below.
    ``inspected`` bool (H, W) are the pixels that the class's mask lets through: elsewhere the map is 0 and no region
    lies, and the share is of those pixels. ``cells`` (rows, columns) is the map before it was enlarged. ``similarity``
    is the cosine similarity (-1..1) of the whole image to the nearest reference of the class.
    """

    class_name: str
    reasons: tuple[Reason, ...]
    score: float
    threshold: float
    calibrated_threshold: float
    review_threshold: float
    pixel_threshold: float
    p_value: float
    anomalous_share: float
    map: FloatArray
    inspected: BoolArray
    cells: FloatArray
    regions: tuple[Explained, ...]
    bank_version: str
    similarity: float | None = None

    @property
    def is_anomalous(self) -> bool:
        """Whether there is any reason."""
        return bool(self.reasons)

    @property
    def decision(self) -> Decision:
        """What to do with the part: ``reject`` where it is anomalous, whatever the reason."""
        if self.is_anomalous:
            return "reject"
        return "review" if self.score > self.review_threshold else "pass"

    @property
    def defects(self) -> tuple[NamedDefect, ...]:
        """The known defects that it shows, region by region."""
        return tuple(explained.defect for explained in self.regions if explained.defect is not None)

    @property
    def score_ratio(self) -> float | None:
        """Score over the calibrated threshold, comparable between classes; None where that threshold is 0."""
        return self.score / self.calibrated_threshold if self.calibrated_threshold > 0 else None


@dataclass(frozen=True)
class Inspection:
    """The answer for one image. ``verdict`` is None exactly when ``status`` is ``unknown_product``.

    ``frame_fault`` is what is wrong with the picture itself, with or without a verdict. ``brightness`` is the
    mean luminance of the picture, 0..255.
    """

    status: Literal["ok", "unknown_product"]
    image: DecodedImage
    verdict: Verdict | None
    retrieval: Retrieval
    backbone: str
    timings_ms: dict[str, float]
    warnings: tuple[str, ...] = field(default=())
    frame_fault: FrameFault | None = None
    brightness: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """What REST and command line both tell of an image; without a verdict its fields are None, regions empty."""
        verdict = self.verdict
        return {
            "status": self.status,
            "class_name": verdict.class_name if verdict else None,
            "class_confidence": self.retrieval.confidence,
            "class_similarity": verdict.similarity if verdict else None,
            "is_anomalous": verdict.is_anomalous if verdict else None,
            "decision": verdict.decision if verdict else None,
            "reasons": list(verdict.reasons) if verdict else [],
            "frame_fault": self.frame_fault,
            "brightness": self.brightness,
            "anomaly_score": verdict.score if verdict else None,
            "threshold": verdict.threshold if verdict else None,
            "review_threshold": verdict.review_threshold if verdict else None,
            "pixel_threshold": verdict.pixel_threshold if verdict else None,
            "p_value": verdict.p_value if verdict else None,
            "anomaly_percentage": 100.0 * verdict.anomalous_share if verdict else None,
            "regions": [region.as_dict() for region in verdict.regions] if verdict else [],
            "all_class_scores": self.retrieval.scores,
            "bank_version": verdict.bank_version if verdict else None,
            "backbone": self.backbone,
            "timings_ms": self.timings_ms,
            "processing_time_ms": sum(self.timings_ms.values()),
            "warnings": list(self.warnings),
        }
