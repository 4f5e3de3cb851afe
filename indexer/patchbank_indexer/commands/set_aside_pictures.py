"""Pictures that were set aside at teaching, as files to look at."""

from __future__ import annotations

from pathlib import Path

from patchbank.teaching.teacher import TeachReport
from patchbank.text import file_stem


def write_set_aside(report: TeachReport, folder: Path | None) -> dict[str, Path]:
    """Write the thumbnails of the pictures that were set aside; their files by image id. None where no folder is
    asked for."""
    if folder is None or not report.set_aside:
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for number, aside in enumerate(report.set_aside, 1):
        path = folder / f"{number:02d}-{aside.reason}-{file_stem(aside.path.name)}.jpg"
        path.write_bytes(aside.picture.thumbnail)
        written[aside.picture.image_id] = path
    return written
