"""The REST contract: fields may be added, none renamed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from patchbank.api.redaction import told_source
from patchbank.api.rejudged import RecentDiff


class ErrorBody(BaseModel):
    """Inside of the one error shape."""

    code: str
    message: str
    detail: dict[str, Any] | None = None


class ErrorAnswer(BaseModel):
    """The one error shape."""

    error: ErrorBody


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


class ClassSummary(BaseModel):
    """One taught product class."""

    class_name: str
    version: str
    created_at: str
    backbone: str
    references: int
    patches: int
    vector_bytes: int = Field(
        description="bytes of its embeddings in full precision; ids, thumbnails and, where it is large, a graph come "
        "on top, and versions share what is the same"
    )
    threshold: float
    review_threshold: float
    usable: bool = Field(description="false where this service refuses the bank")
    self_test: str = Field(description="passed, not recorded, failed, or other backbone")
    refusal: str | None = Field(description="why the bank is refused")


class ClassList(BaseModel):
    """All taught product classes."""

    classes: list[ClassSummary]
    damaged: list[str] = Field(description="classes whose bank cannot be read")


class SmallestVisible(BaseModel):
    """How finely pictures of the size of the references are seen: a thing much smaller than a patch is not."""

    shrunk: float = Field(description="how many times a picture is shrunk before it is seen; below 1 it is enlarged")
    patch: tuple[float, float] = Field(description="width and height of what one patch covers, in original pixels")


class ClassDetail(ClassSummary):
    """One class with where its threshold comes from."""

    versions: list[str]
    reason: str | None = Field(default=None, description="why the version was made; null where that is not recorded")
    coreset: dict[str, float] | None
    scoring: dict[str, Any]
    calibration: dict[str, Any]
    retrieval: dict[str, Any]
    inspected_percentage: float = Field(description="share of the picture that the class's mask inspects, 0..100")
    pixel_range: dict[str, int] | None = Field(
        description="white, and greatest values, of the references that are 16-bit grey without a range; null: none is"
    )
    detail: str = Field(description="how finely pictures are seen: fast, standard or fine, or the scales themselves")
    scales: dict[str, Any] = Field(description="the input scales, as multiples of the backbone's own, and the grid's")
    subspace: dict[str, int] | None = Field(
        description="number of axes of the subspace that patches are scored by; null where they are not"
    )
    parts: list[dict[str, Any]] = Field(
        description="what the version is made of: per part the version that added it, and what of it is withdrawn"
    )
    smallest_visible: SmallestVisible | None = Field(description="null where the class was taught before it was told")
    known_defects: int = Field(description="number of known defects")


Source = Annotated[str, AfterValidator(told_source)]
"""Where a picture came from, as it may be told."""


class ReferenceOut(BaseModel):
    """One reference image."""

    image_id: str
    name: str
    sha256: str
    added_at: str
    source: Source = Field(description="where it came from: a file's name, or the path that it was sent under")
    added_by: str = Field(default="", description="empty where that is not known")
    note: str = ""
    width: int
    height: int
    series: str = Field(default="", description="the series that it belongs to; empty: it is alone")
    accepted_from: str = Field(default="", description="the detection that it was accepted from; empty: it was taught")


class ReferenceList(BaseModel):
    """A page of a class's reference images, by name."""

    class_name: str
    version: str
    total: int
    references: list[ReferenceOut]


class BackboneChoice(BaseModel):
    """Why the service runs this backbone."""

    backbone: str
    by: Literal["setting", "banks", "hub", "built-in", "person"] = Field(
        description="`setting`: PATCHBANK_BACKBONE names it; else it is `auto`: that of the `banks`, DINOv2 from the "
        "`hub`, the `built-in` one, or one that a `person` chose"
    )
    why: str
    decided_at: str = Field(description="when it was decided, UTC; empty where nothing was to be decided")


class Damage(BaseModel):
    """Why nothing can be judged with a class's bank."""

    code: str
    reason: str


class StoreNode(BaseModel):
    """One node of the Qdrant server that stores the banks, by its place in `PATCHBANK_QDRANT_URL`."""

    node: int = Field(description="1 for the first URL")
    answers: bool = Field(description="whether it answered when it was last asked")
    away_for_s: float | None = Field(description="seconds since it was first found not to answer")


class Health(BaseModel):
    """Whether the service can answer."""

    status: Literal["ok", "degraded"]
    version: str
    backbone: str
    backbone_choice: BackboneChoice
    providers: list[str] = Field(description="execution providers in use; OpenVINO where it runs the graph by itself")
    runs_on: str = Field(description="what runs the backbone, its version, and why it is that one; for people")
    classes: int | None
    refused: dict[str, str] = Field(description="classes whose bank fails the self-test, and why")
    damaged: dict[str, Damage] = Field(description="classes whose bank cannot be read, and why; the others are served")
    history: Literal["on", "off", "away"] = Field(
        description="away: detections are judged, and not recorded at present"
    )
    writable: bool = Field(description="whether the data directory can be written; banks are read all the same")
    free_bytes: int | None = Field(description="of the data directory's disk; null where the system does not say")
    store_nodes: list[StoreNode] = Field(description="nodes of the Qdrant server; empty for the embedded store")


class Ready(BaseModel):
    """That the service can answer, for at least some classes."""

    status: Literal["ok", "degraded"]
    classes: int = Field(description="classes that are taught")
    refused: list[str] = Field(description="classes whose bank fails the self-test; the others are served")
    damaged: list[str] = Field(description="classes whose bank cannot be read; the others are served")


class Added(BaseModel):
    """References that were added: what ``indexer references add --json`` prints."""

    model_config = ConfigDict(extra="allow")

    class_name: str
    version: str
    serves: bool
    added: int
    added_references: list[dict[str, str]] = Field(description="image_id and name of each")
    references: int
    patches: int
    threshold: float
    review_threshold: float
    pixel_threshold: float
    skipped: list[dict[str, Any]] = Field(description="files that are no usable pictures, and why")
    duplicates: list[str] = Field(description="files whose picture was in the bank already")
    set_aside: list[dict[str, Any]] = Field(description="pictures that were not taken, and why; keep_all takes them")
    remarks: list[str]
    job: str | None = Field(description="a job that keeps the bank in shape, if one is needed")


class Withdrawn(BaseModel):
    """A withdrawal."""

    class_name: str
    version: str
    serves: bool
    before: str = Field(description="the version before; activate goes back to it")
    withdrawn: list[ReferenceOut]
    references: int
    patches: int
    threshold: float
    review_threshold: float
    pixel_threshold: float
    calibration: dict[str, Any] = Field(description="stale: number of scores that are to be made again")
    coreset: dict[str, float] | None
    remarks: list[str]
    job: str | None = Field(description="the job that makes stale scores again, if there are any")


class KnownDefectOut(BaseModel):
    """A known defect."""

    id: str
    name: str
    added_at: str
    added_by: str = Field(description="empty where that is not known")
    note: str
    source: Source = Field(description="where its picture came from: likewise")
    image_id: str
    box: tuple[int, int, int, int] = Field(description="left, top, right, bottom in its picture, in pixels")
    patches: int


class DefectList(BaseModel):
    """The known defects of a class, the earliest first."""

    class_name: str
    version: str
    total: int
    patches: int = Field(description="of all together; 1000 is the limit")
    defects: list[KnownDefectOut]


class DefectRemoved(BaseModel):
    """A known defect that was removed."""

    class_name: str
    version: str
    before: str = Field(description="the version before; activate goes back to it")
    serves: bool
    defect: KnownDefectOut
    defects: int = Field(description="how many the class has now")


class DefectAdded(DefectRemoved):
    """A known defect that was taught."""

    kept: int = Field(description="patches that were kept")
    indistinct: int = Field(description="patches that were left out because good parts have such too")
    stood_for: int = Field(description="patches that were left out because kept ones are much like them")
    remarks: list[str]


class VersionList(BaseModel):
    """The kept versions of a class, oldest first."""

    class_name: str
    active: str | None
    versions: list[dict[str, Any]]


class Activation(BaseModel):
    """Which version is to serve."""

    model_config = ConfigDict(extra="forbid")

    version: str


class Activated(BaseModel):
    """Which version serves, and which one did before."""

    class_name: str
    active: str
    before: str


class Change(BaseModel):
    """A fact that differs."""

    before: Any
    after: Any


class ReferenceName(BaseModel):
    """A reference that only one of two versions has."""

    image_id: str
    name: str
    added_at: str


class DefectName(BaseModel):
    """A known defect that only one of two versions has."""

    id: str
    name: str
    added_at: str


class VersionDiffOut(BaseModel):
    """What changed between two versions."""

    class_name: str
    before: str
    after: str
    added: list[ReferenceName]
    withdrawn: list[ReferenceName]
    defects_added: list[DefectName]
    defects_removed: list[DefectName]
    changes: dict[str, Change]
    recent: RecentDiff | None = Field(default=None, description="null where no recent detections were asked for")


class Pruned(BaseModel):
    """Versions that were removed, and those that are left."""

    class_name: str
    removed: list[str]
    versions: list[str]
