"""Recorded pictures of which people said whether the part has a defect, as files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from patchbank.errors import PictureNotKept, UnknownDetection
from patchbank.history.detection import Label, RecordedDetection, label_of
from patchbank.history.records import Records
from patchbank.history.selection import Selection
from patchbank.progress import SILENT, Progress


@dataclass(frozen=True)
class LabelledByPeople:
    """Files of pictures with ``defects`` and of ``good`` parts, each picture once. So many could not be written:
    ``not_kept`` because the history no longer has the picture, ``contradictory`` because people said both of it."""

    defects: tuple[Path, ...]
    good: tuple[Path, ...]
    not_kept: int
    contradictory: int

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "defects": len(self.defects),
            "good": len(self.good),
            "not_kept": self.not_kept,
            "contradictory": self.contradictory,
        }


def write_labelled(records: Records, class_name: str, folder: Path, progress: Progress = SILENT) -> LabelledByPeople:
    """Write the pictures of a class that people judged into an empty folder, the newest detection of each."""
    stage = progress.begin("pictures from the history", None)
    rows = list(_judged(records, class_name))
    labels: dict[str, set[Label]] = {}
    for row, label in rows:
        labels.setdefault(row.image_id, set()).add(label)
    files: dict[Label, dict[str, Path]] = {"defect": {}, "good": {}}
    missing: set[str] = set()
    for row, label in rows:
        if len(labels[row.image_id]) > 1 or row.image_id in files[label]:
            continue
        try:
            data = records.picture(row.id)
        except (PictureNotKept, UnknownDetection):
            missing.add(row.image_id)
            continue
        file = folder / row.id  # its kind is told by its first bytes
        file.write_bytes(data)
        files[label][row.image_id] = file
        stage.advance()
    stage.done()
    written = files["defect"].keys() | files["good"].keys()
    return LabelledByPeople(
        tuple(files["defect"].values()),
        tuple(files["good"].values()),
        len(missing - written),
        sum(len(said) > 1 for said in labels.values()),
    )


def _judged(records: Records, class_name: str) -> Iterator[tuple[RecordedDetection, Label]]:
    for row in records.all(Selection(class_name=class_name, word="any")):
        label = label_of(row)
        if label is not None:
            yield row, label
