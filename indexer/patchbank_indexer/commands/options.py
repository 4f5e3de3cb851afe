"""Options and arguments that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from patchbank.jobs.choices import wrong_fields

T = TypeVar("T", bound=BaseModel)

ClassName = Annotated[str, typer.Argument(help="Product class: letters, digits, '-' and single '_'.")]
TaughtClass = Annotated[str, typer.Argument(help="A taught product class.")]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Directory of the embedded store. [env: PATCHBANK_DATA_DIR]")
]
BackboneName = Annotated[str | None, typer.Option("--backbone", help="Backbone that embeds. [env: PATCHBANK_BACKBONE]")]
TargetFar = Annotated[
    float | None,
    typer.Option("--target-far", min=0.0001, max=0.5, help="Target false-alarm rate. [env: PATCHBANK_TARGET_FAR]"),
]
ReviewFar = Annotated[
    float | None,
    typer.Option(
        "--review-far",
        min=0.0001,
        max=0.9,
        help="Target rate of good parts rejected or for review. [env: PATCHBANK_REVIEW_FAR]",
    ),
]
Confidence = Annotated[
    float | None,
    typer.Option(
        "--confidence",
        min=0.0,
        max=0.9999,
        help="Let both rates hold with this confidence, such as 0.95, not only on average (docs/thresholds.md); 0: on "
        "average.",
    ),
]
GroupBy = Annotated[
    str | None,
    typer.Option(
        "--group-by",
        metavar="REGEX|folder",
        help="Which pictures form a series (of one part, or place): a regular expression on the path below the folder, "
        "whose first group names the series; or by folder. A series is left out together and counts once "
        "(docs/references.md).",
    ),
]
NoActivate = Annotated[
    bool,
    typer.Option(
        "--no-activate",
        help="Make the new version, but don't let it serve yet: try it with `detect --version`, then `activate` it.",
    ),
]
AddedBy = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who adds the references; else the user of this machine.")
]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="What to remember of the references.")]
Strict = Annotated[bool, typer.Option("--strict", help="Fail on the first bad file instead of skipping it.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, for machines.")]


def chosen(kind: type[T], **options: Any) -> T:
    """The options of a command as one document. Raises ``typer.BadParameter`` for a value that makes no sense."""
    try:
        return kind(**options)
    except ValidationError as error:
        name, text = next(iter(wrong_fields(error).items()))
        raise typer.BadParameter(text, param_hint=f"--{name.replace('_', '-')}") from None
