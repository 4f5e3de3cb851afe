"""``drift``: whether what the service is shown is still what the classes were taught from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from patchbank.history.drift import DriftReport, DriftWatch
from patchbank.history.history import History
from patchbank.scoring.drift import Comparison
from patchbank.scoring.drift_state import CHANCE, PROMISED, Quantity
from patchbank.settings import Settings
from patchbank_indexer.commands.options import DataDir, Json
from patchbank_indexer.commands.running import opened, run
from patchbank_indexer.output import Output

_SAID: Final[dict[Quantity, str]] = {
    "score": "anomaly scores",
    "similarity": "similarities to the nearest reference",
    "brightness": "brightnesses",
}


def drift(
    classes: Annotated[list[str] | None, typer.Argument(metavar="[CLASS]...", help="Classes; else all.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Tell whether the recent detections of classes are like the pictures that these were taught from. Exit status 0
    whatever the state."""
    run(lambda settings, out: _drift(settings, out, classes or ()), as_json, data_dir=data_dir)


def _drift(settings: Settings, out: Output, classes: Sequence[str]) -> None:
    with opened(settings) as store, History(settings) as history:
        watch = DriftWatch(history, store)
        reports = [watch.of(name) for name in classes] if classes else watch.all()
    out.result({"classes": [report.as_dict() for report in reports]})
    if not reports:
        out.say(f"no product class is taught yet; begin with: {out.program} add CLASS FOLDER")
        return
    out.table(
        ("class", "state", "shift", "images", "version"),
        [(report.class_name, report.state, report.shift, report.images, report.version) for report in reports],
        names=("class",),
    )
    for report in reports:
        for line in _lines(report):
            out.say(f"{report.class_name}: {line}")


def _lines(report: DriftReport) -> list[str]:
    """Why the state is what it is, for people."""
    told = [_sentence(made) for made in report.drift.comparisons if made.state != "ok"]
    return [*([report.drift.reason] if report.drift.reason else []), *told, *report.notes]


def _sentence(made: Comparison) -> str:
    way = "higher" if made.higher > 0.5 else "lower"
    share = max(made.higher, 1.0 - made.higher)
    bound = f"at most {made.false_alarm:.1g}" if made.false_alarm < 1 else "not small"
    return (
        f"{made.state}: the {_SAID[made.quantity]} of the newest {made.images} images are {way} than those of "
        f"{made.calibration} normal ones, in {share:.0%} of all pairs (50% where nothing changed); the chance of that "
        f"within {PROMISED:,} images of an unchanged line is {bound} (drifting from {CHANCE:g} down)"
    )
