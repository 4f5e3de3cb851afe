"""The verdict on an image."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from patchbank.answers.errors import ErrorBody


class NearestPatchOut(BaseModel):
    """The normal patch a region was compared with."""

    reference_id: str
    name: str
    box: tuple[int, int, int, int] = Field(description="left, top, right, bottom in the reference image's pixels")
    distance: float = Field(description="cosine distance of the two patches, 0..2")
    width: int = Field(description="of the reference image, in pixels: its thumbnail is smaller")
    height: int


class NamedDefectOut(BaseModel):
    """A known defect of the class that a region shows."""

    id: str
    name: str
    similarity: float = Field(description="cosine of the patches that are most alike, up to 1")


class RegionOut(BaseModel):
    """One anomalous region, or one that shows a known defect."""

    box: tuple[int, int, int, int] = Field(description="left, top, right, bottom in original pixels")
    score: float
    peak: tuple[int, int] = Field(description="x, y of the pixel with the highest score, in original pixels")
    area: int = Field(description="pixels")
    nearest: NearestPatchOut | None = None
    defect: NamedDefectOut | None = Field(default=None, description="null where it shows no known defect")


class GreyValues(BaseModel):
    """How the grey values of a map become scores: score = value x scale + offset."""

    scale: float
    offset: float


class Detection(BaseModel):
    """The answer for one image."""

    status: Literal["ok", "unknown_product"]
    class_name: str | None
    class_confidence: float | None = Field(
        description="winner's share of the vote; null where the caller named the class"
    )
    class_similarity: float | None = Field(
        description="cosine similarity of the whole image to the nearest reference of the class, -1..1; null for an "
        "unknown product"
    )
    is_anomalous: bool | None = Field(description="null for an unknown product: no verdict")
    decision: Literal["pass", "review", "reject"] | None = Field(
        description="reject where it is anomalous, review where the score is above the review threshold; null for an "
        "unknown product: no verdict"
    )
    reasons: list[Literal["score", "unlike_class", "known_defect", "bad_frame"]] = Field(
        description="why it is anomalous: the score, the image is unlike the class that the caller named, it shows a "
        "known defect of the class, or a fault of the camera"
    )
    frame_fault: Literal["black", "white", "blank", "blurred", "frozen"] | None = Field(
        description="what is wrong with the picture itself, with or without a verdict; warnings has the figures"
    )
    brightness: float | None = Field(description="mean luminance of the picture, 0..255")
    anomaly_score: float | None
    threshold: float | None
    review_threshold: float | None = Field(description="above it an image is for review; never above the threshold")
    pixel_threshold: float | None = Field(description="where the map is cut: regions and share are of pixels above it")
    p_value: float | None
    anomaly_percentage: float | None = Field(
        description="share of the inspected pixels above the pixel threshold, 0..100"
    )
    anomaly_map_base64: str | None = Field(description="PNG of the original size")
    grey_values: GreyValues | None = Field(description="how the map tells scores; null unless it is of format gray16")
    regions: list[RegionOut]
    all_class_scores: dict[str, float]
    bank_version: str | None
    backbone: str
    timings_ms: dict[str, float]
    processing_time_ms: float
    warnings: list[str]
    detection_id: str | None = Field(
        description="its id in the history (GET /detections/{id}); null where no history is kept, or it was not"
    )


class BatchDetection(Detection):
    """The answer for one image of a batch."""

    file_name: str | None = Field(description="the name that the file was sent under")


class FailedDetection(BaseModel):
    """An image of a batch that could not be judged."""

    status: Literal["error"] = "error"
    file_name: str | None = Field(description="the name that the file was sent under")
    error: ErrorBody


class BatchAnswer(BaseModel):
    """Answers in the order of the files."""

    results: list[BatchDetection | FailedDetection]
    total_images: int
    total_time_ms: float
    avg_time_ms: float
