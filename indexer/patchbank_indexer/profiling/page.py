"""The profile as one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Any, Final

import numpy as np
from PIL import Image

from patchbank.errors import PatchbankError
from patchbank.images import ImageLimits, read_image
from patchbank_indexer.profiling.profile import Profile, SplitProfile

_SHOWN: Final = 8
_SIDE: Final = 140
_BINS: Final = 24
_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1c2230;background:#fff}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}
th,td{padding:.25rem .7rem;border-bottom:1px solid #d5dae3;text-align:right}
th:first-child,td:first-child{text-align:left}
.warn{background:#fff4d6;border-left:4px solid #c98a00;padding:.4rem .8rem;margin:.4rem 0}
figure{margin:.3rem 0 1rem}figcaption{color:#4d5666}svg{margin-right:1.5rem}
"""


def page(profiles: Sequence[Profile], limits: ImageLimits) -> str:
    """The whole page."""
    parts = [_data_set(profile, limits) for profile in profiles]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Profile</title>'
        f"<style>{_STYLE}</style></head><body><h1>Profile</h1>{''.join(parts)}</body></html>\n"
    )


def _data_set(profile: Profile, limits: ImageLimits) -> str:
    warnings = "".join(f'<p class="warn">{escape(text)}</p>' for text in profile.warnings)
    twins = "".join(
        f"<tr><td>{escape(str(twin.one))}</td><td>{escape(str(twin.other))}</td>"
        f"<td>{'identical' if twin.identical else 'nearly'}</td></tr>"
        for twin in profile.twins[:50]
    )
    listed = (
        f"<h3>Near-duplicates across splits: {len(profile.twins)}</h3><table>{twins}</table>" if profile.twins else ""
    )
    charts = "".join(
        f"<h3>{title}</h3>" + _histograms(profile.splits, name)
        for title, name in (("Brightness (mean grey, 0 to 255)", "brightness"), ("Sharpness", "sharpness"))
    )
    sheets = "".join(_sheet(part, limits) for part in profile.splits if part.images)
    return f"<h2>{escape(profile.name)}</h2>{warnings}{_table(profile)}{charts}{listed}<h3>Examples</h3>{sheets}"


def _table(profile: Profile) -> str:
    heads = (
        "split",
        "images",
        "sizes",
        "brightness",
        "contrast",
        "sharpness",
        "clipped",
        "masks",
        "defect % of picture",
    )
    rows = []
    for part in profile.splits:
        facts = part.as_dict()
        sizes = ", ".join(f"{size} ({count})" for size, count in list(facts["sizes"].items())[:3])
        cells = [
            facts["split"],
            facts["images"],
            sizes,
            _middle(facts["brightness"], 0),
            _middle(facts["contrast"], 0),
            _middle(facts["sharpness"], 2),
            _middle(facts["clipped"], 1, 100),
            facts["masks"],
            _middle(facts["defect_share"], 2, 100),
        ]
        rows.append("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f"<table><tr>{head}</tr>{''.join(rows)}</table><p>Medians, and between which values 90 % lie.</p>"


def _middle(spread: dict[str, Any] | None, digits: int, factor: float = 1.0) -> str:
    if spread is None:
        return "-"
    low, middle, high = (factor * float(spread[key]) for key in ("low", "median", "high"))
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _histograms(splits: Sequence[SplitProfile], name: str) -> str:
    """One small histogram a split, all on one scale."""
    values = [[float(getattr(image, name)) for image in part.images] for part in splits]
    everything = [value for part in values for value in part]
    if not everything:
        return ""
    span = (min(everything), max(everything) + 1e-9)
    drawn = []
    for part, own in zip(splits, values, strict=True):
        if not own:
            continue
        counts, _ = np.histogram(own, _BINS, span)
        bars = "".join(
            f'<rect x="{8 * place}" y="{60 - 60 * count / counts.max():.1f}" width="7" '
            f'height="{60 * count / counts.max():.1f}" fill="#3465a4"/>'
            for place, count in enumerate(counts)
        )
        drawn.append(
            f'<figure style="display:inline-block"><svg width="{8 * _BINS}" height="61" role="img">'
            f'{bars}<path d="M0 60.5H{8 * _BINS}" stroke="#4d5666"/></svg>'
            f"<figcaption>{escape(part.split.name)}: {span[0]:.3g} to {span[1]:.3g}</figcaption></figure>"
        )
    return "".join(drawn)


def _sheet(part: SplitProfile, limits: ImageLimits) -> str:
    """Examples from the darkest to the brightest."""
    ordered = sorted(part.images, key=lambda image: image.brightness)
    places = np.unique(np.linspace(0, len(ordered) - 1, _SHOWN).round().astype(int))
    shown = []
    for place in places:
        try:
            picture = Image.fromarray(read_image(ordered[place].path, limits).pixels)
        except PatchbankError:  # gone since it was measured
            continue
        picture.thumbnail((_SIDE, _SIDE))
        shown.append(picture)
    sheet = Image.new("RGB", (_SHOWN * (_SIDE + 4), _SIDE), "white")
    for column, picture in enumerate(shown):
        sheet.paste(picture, (column * (_SIDE + 4), 0))
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=85)
    data = base64.b64encode(out.getvalue()).decode()
    return (
        f'<figure><img alt="{escape(part.split.name)}" src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{escape(part.split.name)}, from the darkest to the brightest</figcaption></figure>"
    )
