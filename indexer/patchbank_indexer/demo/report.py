"""What the demo shows: tables, overlays side by side, and how to go on."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from patchbank.scoring.curve import Curve
from patchbank.text import json_text
from patchbank_indexer.demo.products import Product
from patchbank_indexer.demo.sheet import Pair, write_sheet
from patchbank_indexer.output import Output

_SHOWN: Final = 3
_ROWS: Final = 6
_DECIDED: Final = ("defects found", "for review", "missed", "false alarms", "false alarms, review too")
"""What is told of a class's decisions, in a table of its own."""


@dataclass(frozen=True)
class Answer:
    """A held-out image and what the API said of it."""

    product: str
    file: Path
    defective: bool
    reply: dict[str, Any]
    overlay: Path | None


def draw(answers: Sequence[Answer], out_dir: Path) -> None:
    """The contact sheet, the highest scores of each kind, and those images to try by hand."""
    pairs, samples = [], out_dir / "images"
    samples.mkdir(exist_ok=True)
    for product in dict.fromkeys(answer.product for answer in answers):
        for defective in (True, False):
            mine = [a for a in answers if a.product == product and a.defective == defective and a.overlay]
            mine.sort(key=lambda answer: -answer.reply["anomaly_score"])
            for answer in mine[:_SHOWN]:
                kind = "defective" if defective else "good"
                shutil.copyfile(answer.file, samples / f"{product}-{kind}-{answer.file.name}")
                caption = f"{product}, {kind}: {_verdict(answer.reply)} {answer.reply['anomaly_score']:.3f}"
                if answer.overlay is not None:
                    pairs.append(Pair(answer.file, answer.overlay, caption))
    write_sheet(pairs, out_dir / "overlays.png")


def _verdict(reply: dict[str, Any]) -> str:
    words = {"reject": "ANOMALOUS", "review": "for review", "pass": "normal", None: "unknown product"}
    return words[reply["decision"]]


def tell(out: Output, out_dir: Path, backbone: str, products: Sequence[Product], answers: Sequence[Answer]) -> None:
    """The table, the summary per class, and how to go on; everything in ``results.json``."""
    kinds: dict[tuple[str, bool], list[Answer]] = {}
    for answer in answers:
        kinds.setdefault((answer.product, answer.defective), []).append(answer)
    rows = [
        (
            answer.file.name,
            f"{answer.product}, {'defective' if answer.defective else 'good'}",
            answer.reply["class_name"],
            answer.reply["anomaly_score"],
            answer.reply["threshold"],
            _verdict(answer.reply),
            round(answer.reply["processing_time_ms"]),
        )
        for kind in kinds.values()
        for answer in kind[:_ROWS]
    ]
    out.table(
        ("image", "what it is", "class found", "score", "threshold", "verdict", "ms"),
        rows,
        names=("image",),
        least=("ms",),
    )
    if len(rows) < len(answers):
        out.say(f"... the first {_ROWS} of each kind; all {len(answers)} are in {out_dir / 'results.json'}")
    summary = [_summary(product, [a for a in answers if a.product == product.class_name]) for product in products]
    out.say("")
    recognised = [name for name in summary[0] if name not in _DECIDED]
    for columns in (recognised, ["class", *_DECIDED]):
        out.table(columns, [[row[name] for name in columns] for row in summary], names=("class",))
    document = {"backbone": backbone, "classes": summary, "images": [_flat(answer) for answer in answers]}
    (out_dir / "results.json").write_text(json_text(document))
    out.result(document)
    sample = next((out_dir / "images").glob("*-defective-*"), None)
    out.say("")
    out.say(f"Overlays: {out_dir / 'overlays'}/ and, side by side, {out_dir / 'overlays.png'}")
    out.say("To go on: run make serve, then open http://127.0.0.1:8000 (the API: /docs), or in a second terminal")
    out.say(f"  curl -s -F file=@{sample} -F return_map=false -F explain=true http://127.0.0.1:8000/detect")


def _summary(product: Product, answers: Sequence[Answer]) -> dict[str, Any]:
    judged = [answer for answer in answers if answer.reply["status"] == "ok"]
    scores = {
        defective: [answer.reply["anomaly_score"] for answer in judged if answer.defective == defective]
        for defective in (False, True)
    }
    decided = Counter((answer.defective, answer.reply["decision"]) for answer in answers)
    defective = sum(answer.defective for answer in answers)
    rejected, reviewed = decided[False, "reject"], decided[False, "review"]
    return {
        "class": product.class_name,
        "images": len(answers),
        "class right": sum(answer.reply["class_name"] == product.class_name for answer in answers),
        "unknown product": len(answers) - len(judged),
        "image AUROC": Curve.of_scores(scores[False], scores[True]).auroc if scores[False] and scores[True] else None,
        "defects found": f"{decided[True, 'reject']} of {defective}",
        "for review": decided[True, "review"],
        "missed": decided[True, "pass"] + decided[True, None],
        "false alarms": f"{rejected} of {len(answers) - defective}",
        "false alarms, review too": f"{rejected + reviewed} of {len(answers) - defective}",
    }


def _flat(answer: Answer) -> dict[str, Any]:
    return {
        "image": str(answer.file),
        "product": answer.product,
        "defective": answer.defective,
        "overlay": str(answer.overlay) if answer.overlay else None,
        **answer.reply,
    }
