"""The HTML report: one file that needs nothing else, no script, no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from patchbank_indexer.evaluate.charts import Axis, Histogram, Line, LineChart, Spot
from patchbank_indexer.evaluate.columns import DECISION, DETECTION, Column, cells
from patchbank_indexer.evaluate.gallery import GROUPS, Shown
from patchbank_indexer.evaluate.pixel_scores import LIMIT
from patchbank_indexer.evaluate.rates import HEADINGS, rate_cells
from patchbank_indexer.evaluate.results import ClassResult, Problem
from patchbank_indexer.rendering import render


@dataclass(frozen=True)
class Table:
    """A table of figures: the rows' names and their figures; None is a figure that the data do not give. ``last`` is
    how the last row is shown: ``mean`` where it is the mean of the others."""

    headings: list[str]
    rows: list[tuple[str, list[float | str | None]]]
    first: str = "class"
    last: str = ""


@dataclass(frozen=True)
class Section:
    """What the page says of one class; ``rates`` is the table of other false-alarm rates, ``gallery`` holds its
    pictures per group, without empty groups."""

    name: str
    figures: dict[str, Any]
    problems: tuple[Problem, ...]
    roc: LineChart | None
    histogram: Histogram
    region_overlap: LineChart | None
    rates: Table
    gallery: dict[str, list[Shown]]


def page(
    head: dict[str, str], results: Sequence[ClassResult], classes: Sequence[dict[str, Any]], means: dict[str, Any]
) -> str:
    """The whole document; ``classes`` are the results' figures, in the same order."""
    rows = [*classes, {"class": "mean", **means}]
    return render(
        "evaluation.html",
        head=head,
        images=sum(len(result.judged) for result in results),
        detection=_table(rows, DETECTION),
        decision=_table(rows, DECISION),
        sections=[_section(result, figures) for result, figures in zip(results, classes, strict=True)],
    )


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[Column]) -> Table:
    return Table(
        [heading for heading, _, _ in columns], [(row["class"], [*cells(row, columns)]) for row in rows], last="mean"
    )


def _rates(figures: dict[str, Any]) -> Table:
    rows = [rate_cells(row) for row in figures["rates"]]
    return Table(list(HEADINGS[1:]), [(rate, rest) for rate, *rest in rows], first=HEADINGS[0])


def _section(result: ClassResult, figures: dict[str, Any]) -> Section:
    calibration = figures["calibration"]
    gallery = {group: [shown for shown in result.shown if shown.group == group] for group in GROUPS}
    return Section(
        name=result.name,
        figures=figures,
        problems=(*result.problems, *result.skipped),
        roc=_roc(result, figures),
        histogram=Histogram.of_scores(
            result.scores(False),
            result.scores(True),
            {"threshold": calibration["threshold"], "review": calibration["review_threshold"]},
        ),
        region_overlap=_region_overlap(result, figures),
        rates=_rates(figures),
        gallery={group: pictures for group, pictures in gallery.items() if pictures},
    )


def _roc(result: ClassResult, figures: dict[str, Any]) -> LineChart | None:
    """The ROC curves of images and pixels; None where the data give neither."""
    lines: list[Line] = []
    spots: list[Spot] = []
    curve = result.curve()
    if curve is not None:
        lines.append(Line(f"images, AUROC {curve.auroc:.4f}", "images", *curve.roc()))
        spots = [
            Spot(name, figures[part]["false_alarm_rate"], figures[part]["recall"])
            for part, name in (("verdict", "rejected"), ("review", "rejected or for review"))
        ]
    if result.pixels is not None:
        lines.append(Line(f"pixels, AUROC {figures['pixel']['auroc']:.4f}", "pixels", *result.pixels.roc))
    if not lines:
        return None
    return LineChart(Axis("false-alarm rate", 0.0, 1.0), Axis("recall", 0.0, 1.0), lines, spots)


def _region_overlap(result: ClassResult, figures: dict[str, Any]) -> LineChart | None:
    if result.pixels is None:
        return None
    line = Line(f"AUPRO {figures['pixel']['aupro']:.4f}", "pixels", *result.pixels.pro)
    return LineChart(Axis("false-positive rate of pixels", 0.0, LIMIT), Axis("overlap per region", 0.0, 1.0), [line])
