"""Options and arguments of the commands about detections."""

from __future__ import annotations

from typing import Annotated

import typer

DetectionId = Annotated[str, typer.Argument(metavar="ID", help="A detection, as `history list` tells it.")]
OfClass = Annotated[str | None, typer.Option("--class-name", help="Only those of this class.")]
By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who says it; else the user of this machine.")]
