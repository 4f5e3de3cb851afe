"""Known defects as commands and requests ask for them and tell of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from patchbank.bank.manifest import Manifest
from patchbank.jobs.choices import read_box
from patchbank.teaching.defect_list import RemovalReport, defect_document
from patchbank.teaching.defect_teacher import MOST_NAME, DefectFacts, DefectReport
from patchbank.teaching.roi_drawing import Box


class DefectChoices(BaseModel):
    """What is said of a known defect, and where it is in its picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=MOST_NAME, description="what the defect is called in answers")
    added_by: str = Field(default="", max_length=200, description="who confirmed it")
    note: str = Field(default="", max_length=2_000, description="what they say of it")
    box: Annotated[Box, BeforeValidator(read_box), WithJsonSchema({"type": "string"})] | None = Field(
        default=None, description="where it is: X,Y,WIDTH,HEIGHT in pixels; else a mask, else where the map is high"
    )
    activate: bool = Field(default=True, description="let the new version serve; else it waits")

    def facts(self, source: str = "") -> DefectFacts:
        """As the teacher takes them; ``source`` is where the picture came from."""
        return DefectFacts(self.name, self.added_by, self.note, source)


def defects_document(manifest: Manifest) -> dict[str, Any]:
    """The known defects of a version as JSON."""
    return {
        "class_name": manifest.class_name,
        "version": manifest.version,
        "total": len(manifest.defects),
        "patches": sum(record.count for record in manifest.defects),
        "defects": [defect_document(record) for record in manifest.defects],
    }


def changed_document(report: DefectReport | RemovalReport, *, serves: bool) -> dict[str, Any]:
    """A known defect that was taught or removed, as JSON; ``defects`` is how many the class has now."""
    return {
        "class_name": report.manifest.class_name,
        "version": report.manifest.version,
        "before": report.before.version,
        "serves": serves,
        "defect": defect_document(report.defect),
        "defects": len(report.manifest.defects),
    }


def taught_document(report: DefectReport, *, serves: bool) -> dict[str, Any]:
    """A known defect that was taught, as JSON, with what became of its patches."""
    counts = {"kept": report.kept, "indistinct": report.indistinct, "stood_for": report.stood_for}
    return {**changed_document(report, serves=serves), **counts, "remarks": list(report.remarks)}
