"""Pictures that were set aside at teaching, as files to look at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from patchbank.atomic_file import replacing
from patchbank.disk import write_error
from patchbank.errors import PatchbankError, UnusablePath
from patchbank.teaching.teacher import TeachReport
from patchbank.text import file_stem


def write_set_aside(report: TeachReport, folder: Path | None) -> tuple[Mapping[str, Path], PatchbankError | None]:
    """Write the thumbnails of the pictures that were set aside: their files by image id, none where no folder is
    asked for, and why the others cannot be written."""
    written: dict[str, Path] = {}
    if folder is None:
        return written, None
    for number, aside in enumerate(report.set_aside, 1):
        path = folder / f"{number:02d}-{aside.reason}-{file_stem(aside.path.name)}.jpg"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with replacing(path) as file:
                file.write(aside.picture.thumbnail)
        except OSError as error:
            return written, write_error(error, f"{folder} cannot be written", UnusablePath, folder)
        written[aside.picture.image_id] = path
    return written, None
