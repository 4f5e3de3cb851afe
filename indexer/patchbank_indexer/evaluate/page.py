"""The HTML report: one file that needs nothing else, no script, no network."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import Any, Final

from patchbank_indexer.evaluate.charts import DEFECTIVE, Line, Spot, histogram, line_chart
from patchbank_indexer.evaluate.columns import DECISION, DETECTION, Column, cells
from patchbank_indexer.evaluate.gallery import GROUPS, Shown
from patchbank_indexer.evaluate.pixel_scores import LIMIT
from patchbank_indexer.evaluate.results import ClassResult

_STYLE: Final = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; } h3 { font-size: 1rem; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } tr:last-child.mean td { font-weight: 600; }
svg { margin: .25rem 1rem .25rem 0; }
.row { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; } figure img { height: 9rem; width: auto; margin-right: 3px; }
figcaption { font-size: .8rem; max-width: 28rem; overflow-wrap: anywhere; }
.note { color: #666; font-size: .9rem; } .bad { color: #a33; }
"""


def page(
    head: dict[str, str], results: Sequence[ClassResult], classes: Sequence[dict[str, Any]], means: dict[str, Any]
) -> str:
    """The whole document; ``classes`` are the results' figures, in the same order."""
    rows = [*classes, {"class": "mean", **means}]
    body = [
        f"<h1>Evaluation of {escape(head['root'])}</h1>",
        f'<p class="note">layout {escape(head["layout"])}, backbone {escape(head["backbone"])}, '
        f"{sum(len(result.judged) for result in results)} test images in {len(results)} classes</p>",
        "<h3>Figures that hang on no threshold</h3>",
        _table(rows, DETECTION),
        "<h3>At the calibrated threshold, and latency</h3>",
        _table(rows, DECISION),
        *(_section(result, figures) for result, figures in zip(results, classes, strict=True)),
    ]
    title = escape(f"Evaluation of {head['root']}")
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body>\n{chr(10).join(body)}\n</body></html>\n"
    )


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[Column]) -> str:
    lines = ["<tr><th>class</th>" + "".join(f"<th>{escape(heading)}</th>" for heading, _, _ in columns) + "</tr>"]
    for row in rows:
        mark = "" if "images" in row else ' class="mean"'
        values = "".join(f"<td>{_number(value)}</td>" for value in cells(row, columns))
        lines.append(f"<tr{mark}><td>{escape(row['class'])}</td>{values}</tr>")
    return f"<table>{''.join(lines)}</table>"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if value > 2 else f"{value:.4f}"


def _section(result: ClassResult, figures: dict[str, Any]) -> str:
    parts = [f'<h2 id="{escape(result.name)}">{escape(result.name)}</h2>', f"<p>{_sentence(figures)}</p>"]
    parts += [
        f'<p class="bad">{escape(str(bad.file))}: {escape(bad.error.message)}</p>'
        for bad in (*result.problems, *result.skipped)
    ]
    parts.append(f'<div class="row">{"".join(_charts(result, figures))}</div>')
    if result.shown:
        parts.append(
            '<p class="note">Each: the image, what is above the threshold, the anomaly map from 0 (dark) to twice the '
            "threshold (bright), and the true mask where there is one.</p>"
        )
    for group in GROUPS:
        mine = [shown for shown in result.shown if shown.group == group]
        if mine:
            parts.append(f'<h3>{group}</h3><div class="row">{"".join(map(_figure, mine))}</div>')
    return "\n".join(parts)


def _sentence(figures: dict[str, Any]) -> str:
    images, bank, calibration, verdict = (figures[part] for part in ("images", "bank", "calibration", "verdict"))
    text = (
        f"{bank['references']} references, {bank['patches']} patches. Threshold {calibration['threshold']:.4f} "
        f"({calibration['method']}, {calibration['count']} images, target false-alarm rate "
        f"{calibration['target_far']:.2%}{'' if calibration['reachable'] else ', out of reach with so few'}). "
    )
    if verdict["recall_interval"]:
        low, high = verdict["recall_interval"]
        text += f"Found {verdict['found']} of {images['defective']} defective images (95 %: {low:.1%} to {high:.1%}). "
    if verdict["false_alarm_interval"]:
        low, high = verdict["false_alarm_interval"]
        text += f"{verdict['false_alarms']} false alarms in {images['good']} good ones (95 %: {low:.1%} to {high:.1%})."
    return text


def _charts(result: ClassResult, figures: dict[str, Any]) -> list[str]:
    charts, verdict = [], figures["verdict"]
    lines, spots = [], []
    curve = result.curve()
    if curve is not None:
        lines.append(Line(f"images, AUROC {curve.auroc:.4f}", DEFECTIVE, *curve.roc()))
        spots.append(Spot("calibrated threshold", verdict["false_alarm_rate"], verdict["recall"]))
    if result.pixels is not None:
        lines.append(Line(f"pixels, AUROC {figures['pixel']['auroc']:.4f}", "#3a8f5c", *result.pixels.roc))
    if lines:
        charts.append(line_chart(("false-alarm rate", "recall"), 1.0, lines, spots))
    charts.append(histogram(result.scores(False), result.scores(True), result.manifest.calibration.threshold))
    if result.pixels is not None:
        pro = Line(f"AUPRO {figures['pixel']['aupro']:.4f}", "#3a8f5c", *result.pixels.pro)
        charts.append(line_chart(("false-positive rate of pixels", "overlap per region"), LIMIT, [pro]))
    return charts


def _figure(shown: Shown) -> str:
    pictures = [("image", shown.picture), ("overlay", shown.overlay), ("map", shown.heatmap)]
    if shown.truth is not None:
        pictures.append(("true mask", shown.truth))
    caption = escape(shown.caption)
    images = "".join(
        f'<img alt="{what} of {caption}" title="{what}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
        for what, png in pictures
    )
    return f"<figure>{images}<figcaption>{caption}</figcaption></figure>"
