"""The options that say what of the picture is inspected."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patchbank.teaching.roi_drawing import Box, RoiDrawing

MaskFile = Annotated[
    Path | None,
    typer.Option("--mask", help="Picture of what is inspected: white is, black is ignored (docs/masks.md)."),
]
RoiBoxes = Annotated[
    list[str] | None,
    typer.Option(
        "--roi",
        metavar="X,Y,WIDTH,HEIGHT",
        help="Inspect only this box, in pixels of the first reference image; may be given several times.",
    ),
]
IgnoreBoxes = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="X,Y,WIDTH,HEIGHT", help="Ignore this box; may be given several times."),
]


def drawing(mask: Path | None, roi: list[str] | None, ignore: list[str] | None) -> RoiDrawing | None:
    """What the options ask for; None where all of the picture is inspected."""
    if mask is None and not roi and not ignore:
        return None
    return RoiDrawing(mask, _boxes(roi, "--roi"), _boxes(ignore, "--ignore"))


def _boxes(given: list[str] | None, option: str) -> tuple[Box, ...]:
    boxes = []
    for text in given or ():
        try:
            left, top, width, height = map(int, text.split(","))
        except ValueError:
            raise typer.BadParameter(
                f"{text!r} is no box: give X,Y,WIDTH,HEIGHT in pixels, such as 40,20,300,200", param_hint=option
            ) from None
        boxes.append((left, top, width, height))
    return tuple(boxes)
