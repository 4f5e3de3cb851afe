"""What is told of the pictures that were set aside at teaching."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from patchbank.teaching.calibrator import NormalScore
from patchbank.teaching.set_aside import SetAside
from patchbank.teaching.teacher import TeachReport
from patchbank.text import file_stem
from patchbank_indexer.output import Output

_NAMED: Final = 20


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


def set_aside_list(set_aside: Sequence[SetAside], written: Mapping[str, Path]) -> list[dict[str, Any]]:
    """For JSON."""
    return [{**aside.as_dict(), "picture": _picture(written.get(aside.picture.image_id))} for aside in set_aside]


def _picture(path: Path | None) -> str | None:
    return None if path is None else str(path)


def tell_set_aside(out: Output, set_aside: Sequence[SetAside], written: Mapping[str, Path]) -> None:
    """A line per picture, and what it means."""
    for aside in set_aside[:_NAMED]:
        path = written.get(aside.picture.image_id)
        seen = "" if path is None else f" ({path})"
        out.remark(aside.line + seen)
    if len(set_aside) > _NAMED:
        out.remark(f"... and {len(set_aside) - _NAMED} more; --json lists all")
    if set_aside:
        how = "look at them" if written else "look at them (--out DIR writes their pictures)"
        out.remark(
            f"{len(set_aside)} images were set aside: they are not in the bank and set no threshold, but count as "
            f"alarms in what is promised; {how}; --keep-all takes all"
        )


def doubtful_list(doubtful: Sequence[NormalScore]) -> list[dict[str, Any]]:
    """Calibration images that score far above the others, for JSON."""
    return [{"path": str(image.path), "score": image.score} for image in doubtful]


def tell_doubtful(out: Output, doubtful: Sequence[NormalScore], scored: int) -> None:
    """The calibration images that score far above the ``scored`` ones."""
    if doubtful:
        named = ", ".join(f"{image.path} ({image.score:.3f})" for image in doubtful[:5])
        out.remark(
            f"{len(doubtful)} of {scored + len(doubtful)} calibration images score far above the others: {named}; they "
            "set no threshold, but count as alarms in what is promised; --keep-all takes all"
        )
