"""How the service is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


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
