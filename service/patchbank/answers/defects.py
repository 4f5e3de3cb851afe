"""Known defects."""

from __future__ import annotations

from pydantic import BaseModel, Field

from patchbank.answers.source import Source


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
