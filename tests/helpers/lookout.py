"""Manifests of Amazon Lookout for Vision, as its console and its labelling jobs write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

BUCKET: Final = "lookoutvision-bucket/projects"
COLOURS: Final = ((44, 160, 44), (31, 119, 180))

_COLOUR_MAP: Final = {
    "0": {"class-name": "BACKGROUND", "hex-color": "#ffffff", "confidence": 0.0},
    "1": {"class-name": "scratch", "hex-color": "#2ca02c", "confidence": 0.0},
    "2": {"class-name": "dent", "hex-color": "#1f77b4", "confidence": 0.0},
}


def line(name: str, label: str = "normal") -> dict[str, Any]:
    """The line of a picture in the bucket."""
    return {
        "source-ref": f"s3://{BUCKET}/{name}",
        "anomaly-label": int(label != "normal"),
        "anomaly-label-metadata": {
            "confidence": 1,
            "job-name": "labeling-job/classification-job",
            "class-name": label,
            "human-annotated": "yes",
            "creation-date": "2021-10-12T14:16:45.668",
            "type": "groundtruth/image-classification",
        },
    }


def anomalous(name: str, mask: str) -> dict[str, Any]:
    """The line of a picture whose defects a mask shows: green scratches and blue dents on white."""
    return {
        **line(name, "anomaly"),
        "anomaly-mask-ref": f"s3://{BUCKET}/{mask}",
        "anomaly-mask-ref-metadata": {
            "internal-color-map": _COLOUR_MAP,
            "type": "groundtruth/semantic-segmentation",
            "human-annotated": "yes",
            "creation-date": "2021-11-23T20:31:57.758889",
            "job-name": "labeling-job/segmentation-job",
        },
    }


def manifest(file: Path, *lines: dict[str, Any]) -> Path:
    """The manifest of these lines, written to ``file``."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(fields, separators=(",", ":")) + "\n" for fields in lines))
    return file
