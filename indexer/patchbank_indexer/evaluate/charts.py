"""Charts as SVG text: nothing is loaded, nothing runs."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

import numpy as np

from patchbank.arrays import DoubleArray

GOOD: Final = "#2a6fbb"
DEFECTIVE: Final = "#d1602c"
"""Blue and orange stay apart for colour-blind eyes."""

_WIDTH: Final = 330
_HEIGHT: Final = 250
_LEFT: Final = 46
_BOTTOM: Final = 40
_TOP: Final = 12
_RIGHT: Final = 14
_BARS: Final = 40


class Line(NamedTuple):
    """A curve: ``x`` and ``y`` (N,) with its name and colour."""

    name: str
    colour: str
    x: DoubleArray
    y: DoubleArray


class Spot(NamedTuple):
    """A marked point."""

    name: str
    x: float
    y: float


def line_chart(labels: tuple[str, str], top: float, lines: Sequence[Line], spots: Sequence[Spot] = ()) -> str:
    """Curves over x from 0 to ``top`` and y from 0 to 1; ``labels`` name the axes."""
    parts = [_frame(labels, (0.0, top), (0.0, 1.0))]
    for number, line in enumerate(lines):
        inside = line.x <= top
        at_top = float(np.interp(top, line.x, line.y))
        pairs = [*zip(line.x[inside], line.y[inside], strict=True), (top, at_top)]
        points = " ".join(f"{_x(x / top):.1f},{_y(y):.1f}" for x, y in pairs)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{line.colour}" stroke-width="1.8"/>')
        parts.append(_legend(number, line.name, line.colour))
    for number, spot in enumerate(spots, len(lines)):
        parts.append(f'<circle cx="{_x(spot.x / top):.1f}" cy="{_y(spot.y):.1f}" r="4" fill="#222"/>')
        parts.append(_legend(number, spot.name, "#222"))
    return _svg(f"{labels[1]} against {labels[0]}", parts)


def histogram(good: Sequence[float], defective: Sequence[float], threshold: float) -> str:
    """Image scores of both kinds, as shares of their kind, and the threshold."""
    every = [*good, *defective, threshold]
    low, high = min(every), max(every)
    high += 0.02 * (high - low) or 1e-3
    edges = np.linspace(low, high, _BARS + 1)
    shares = [np.histogram(scores, edges)[0] / max(1, len(scores)) for scores in (good, defective)]
    tallest = max(float(share.max()) for share in shares) or 1.0
    parts = [_frame(("image score", "share of images"), (low, high), (0.0, tallest))]
    for share, colour in zip(shares, (GOOD, DEFECTIVE), strict=True):
        for place, part in enumerate(share):
            if part > 0:
                left, right, up = _x(place / _BARS), _x((place + 1) / _BARS), _y(part / tallest)
                parts.append(
                    f'<rect x="{left:.1f}" y="{up:.1f}" width="{right - left:.1f}" height="{_y(0) - up:.1f}" '
                    f'fill="{colour}" fill-opacity="0.55"/>'
                )
    at = _x((threshold - low) / (high - low))
    parts.append(
        f'<line x1="{at:.1f}" y1="{_TOP}" x2="{at:.1f}" y2="{_y(0):.1f}" stroke="#222" stroke-dasharray="4 3"/>'
    )
    names = (f"good ({len(good)})", f"defective ({len(defective)})", f"threshold {threshold:.4f}")
    for number, (name, colour) in enumerate(zip(names, (GOOD, DEFECTIVE, "#222"), strict=True)):
        parts.append(_legend(number, name, colour, above=True))
    return _svg("Histogram of image scores", parts)


def _frame(labels: tuple[str, str], x: tuple[float, float], y: tuple[float, float]) -> str:
    inner = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    parts = [f'<rect x="{_LEFT}" y="{_TOP}" width="{inner[0]}" height="{inner[1]}" fill="none" stroke="#999"/>']
    for step in range(5):
        share = step / 4
        across, up = x[0] + share * (x[1] - x[0]), y[0] + share * (y[1] - y[0])
        parts.append(
            f'<text x="{_x(share):.1f}" y="{_HEIGHT - _BOTTOM + 14}" text-anchor="middle">{across:.3g}</text>'
            f'<text x="{_LEFT - 5}" y="{_y(share) + 4:.1f}" text-anchor="end">{up:.2g}</text>'
        )
    middle = _TOP + inner[1] / 2
    parts.append(
        f'<text x="{_LEFT + inner[0] / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(labels[0])}</text>'
        f'<text x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})">{escape(labels[1])}</text>'
    )
    return "".join(parts)


def _legend(number: int, name: str, colour: str, above: bool = False) -> str:
    """Names at the right: at the top of histograms, whose bars stand low there, at the bottom of rising curves."""
    y = _TOP + 16 + 15 * number if above else _HEIGHT - _BOTTOM - 10 - 15 * number
    return f'<text x="{_WIDTH - _RIGHT - 6}" y="{y}" text-anchor="end" fill="{colour}">{escape(name)}</text>'


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(share: float) -> float:
    return _TOP + (1 - share) * (_HEIGHT - _TOP - _BOTTOM)


def _svg(title: str, parts: Sequence[str]) -> str:
    inside = "".join(parts)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="11" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>{inside}</svg>'
    )
