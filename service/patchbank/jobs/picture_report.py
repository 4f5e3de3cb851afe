"""What is told of single pictures after teaching or calibration: as JSON, and in lines for people."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from patchbank.embedding.stream import Skipped
from patchbank.teaching.normal_scores import NormalScore
from patchbank.teaching.set_aside import SetAside

_NAMED: Final = 20


def skipped_list(skipped: Sequence[Skipped]) -> list[dict[str, Any]]:
    """Files that are no usable pictures, for JSON."""
    return [{"path": str(bad.path), **bad.error.as_dict()} for bad in skipped]


def skipped_lines(skipped: Sequence[Skipped]) -> list[str]:
    """A line per file."""
    return [f"skipped {bad.path}: {bad.error.message} [{bad.error.code}]" for bad in skipped]


def warning_list(warnings: Mapping[str, Sequence[Path]]) -> list[dict[str, Any]]:
    """The decoder's warnings for JSON, each with all its files."""
    return [{"warning": warning, "paths": [str(file) for file in files]} for warning, files in warnings.items()]


def warning_lines(warnings: Mapping[str, Sequence[Path]]) -> list[str]:
    """Each warning once, with the file or the number of files that it is about."""
    return [
        f"{files[0] if len(files) == 1 else f'{len(files)} images'}: {warning}" for warning, files in warnings.items()
    ]


def set_aside_list(
    set_aside: Sequence[SetAside], written: Mapping[str, Path] | None = None, kept: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Pictures that were set aside, for JSON; ``written`` are files with their thumbnails, by image id, and ``kept``
    the ids of those that a job keeps."""
    pictures = written or {}
    return [
        {
            **aside.as_dict(),
            "picture": _text(pictures.get(aside.picture.image_id)),
            "kept": aside.picture.image_id in kept,
        }
        for aside in set_aside
    ]


def set_aside_lines(set_aside: Sequence[SetAside], written: Mapping[str, Path] | None = None) -> list[str]:
    """A line per picture, and what it means."""
    if not set_aside:
        return []
    pictures = written or {}
    lines = []
    for aside in set_aside[:_NAMED]:
        path = pictures.get(aside.picture.image_id)
        lines.append(aside.line + ("" if path is None else f" ({path})"))
    if len(set_aside) > _NAMED:
        lines.append(f"... and {len(set_aside) - _NAMED} more; --json lists all")
    how = "look at them" if pictures else "look at them (--out DIR writes their pictures)"
    lines.append(
        f"{len(set_aside)} images were set aside: they are not in the bank and set no threshold, but count as "
        f"alarms in what is promised; {how}; --keep-all takes all"
    )
    return lines


def doubtful_list(doubtful: Sequence[NormalScore]) -> list[dict[str, Any]]:
    """Calibration images that score far above the others, for JSON."""
    return [{"path": str(image.path), "score": image.score} for image in doubtful]


def doubtful_line(doubtful: Sequence[NormalScore], scored: int) -> list[str]:
    """A line on the calibration images that score far above the ``scored`` ones; none where there are none."""
    if not doubtful:
        return []
    named = ", ".join(f"{image.path} ({image.score:.3f})" for image in doubtful[:5])
    return [
        f"{len(doubtful)} of {scored + len(doubtful)} calibration images score far above the others: {named}; they "
        "set no threshold, but count as alarms in what is promised; --keep-all takes all"
    ]


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
