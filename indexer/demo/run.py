"""The demo's course: teach, serve, detect, draw, tell."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from scipy.stats import rankdata

from indexer.demo.products import Product, load_products
from indexer.demo.server import running_service
from indexer.demo.sheet import Pair, write_sheet
from indexer.output import Output
from service.bank.open_store import open_store
from service.embedding.backbones import find_backbone
from service.embedding.download import pull_model
from service.embedding.embedder import Embedder
from service.errors import ModelUnavailable, StoreUnavailable
from service.settings import Settings
from service.teacher import Teacher

_BUILT_IN: Final = "efficientnet-lite2"
_FIRST_CHOICE: Final = "dinov2-vits14"
_HUB_PATIENCE: Final = 3.0
_SHOWN: Final = 3
_ROWS: Final = 6


@dataclass(frozen=True)
class Demo:
    """Where to put things, how many images a class, which backbone (``auto``: DINOv2 if the hub answers)."""

    data_dir: Path
    out_dir: Path
    references: int
    held_out: int
    backbone: str


@dataclass(frozen=True)
class Answer:
    """A held-out image and what the API said of it."""

    product: str
    file: Path
    defective: bool
    reply: dict[str, Any]
    overlay: Path | None


def run_demo(settings: Settings, out: Output, job: Demo) -> None:
    """Run it all; the result is a table, image AUROC per class, overlays and a contact sheet."""
    products = load_products(job.references, job.held_out)
    settings = settings.model_copy(update={"backbone": _choose_backbone(settings, out, job.backbone)})
    pictures = job.out_dir / "overlays"
    try:
        shutil.rmtree(pictures, ignore_errors=True)
        pictures.mkdir(parents=True)
    except OSError as error:
        raise StoreUnavailable(f"{job.out_dir} cannot be written: {error.strerror or error}") from error
    _teach(settings, out, products)
    with running_service(settings, job.out_dir / "service.log") as client:
        answers = _detect(client, out, products, pictures)
    _draw(answers, job.out_dir)
    _tell(out, job, settings, products, answers)


def _choose_backbone(settings: Settings, out: Output, asked: str) -> str:
    if asked != "auto":
        return find_backbone(asked).name
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        httpx.head(endpoint, timeout=_HUB_PATIENCE)
        pull_model(find_backbone(_FIRST_CHOICE), settings.data_dir, patience=_HUB_PATIENCE)
        chosen = settings.model_copy(update={"backbone": _FIRST_CHOICE})
        with Embedder.open(chosen) as embedder:
            embedder.dimensions()
    except (httpx.HTTPError, ModelUnavailable):
        out.remark(f"no DINOv2 from {endpoint} within seconds: using the built-in backbone {_BUILT_IN}")
        return _BUILT_IN
    return _FIRST_CHOICE


def _teach(settings: Settings, out: Output, products: Sequence[Product]) -> None:
    store = open_store(settings)
    try:
        with Embedder.open(settings) as embedder:
            teacher = Teacher(settings, embedder, store)
            for product in products:
                out.remark(f"teaching {product.class_name} from {len(product.references)} images of good parts")
                with out.progress() as progress:
                    report = teacher.teach(product.class_name, product.references, progress=progress)
                manifest = report.manifest
                out.remark(f"  {manifest.patches} patches, threshold {manifest.calibration.threshold:.4f}")
    finally:
        store.close()


def _detect(client: httpx.Client, out: Output, products: Sequence[Product], pictures: Path) -> list[Answer]:
    jobs = [
        (product, file, defective)
        for product in products
        for files, defective in ((product.good, False), (product.defective, True))
        for file in files
    ]
    answers = []
    with out.progress() as progress:
        stage = progress.begin("detecting over HTTP", len(jobs))
        for product, file, defective in jobs:
            response = client.post("/detect", files={"file": file.read_bytes()}, data={"map_format": "overlay"})
            reply = response.json()
            if response.status_code != httpx.codes.OK:
                raise StoreUnavailable(
                    f"{file}: the service answered {response.status_code}: {reply['error']['message']}"
                )
            overlay = None
            encoded = reply.pop("anomaly_map_base64")
            if encoded is not None:
                kind = "defective" if defective else "good"
                overlay = pictures / f"{product.class_name}-{kind}-{file.stem}.png"
                overlay.write_bytes(base64.b64decode(encoded))
            answers.append(Answer(product.class_name, file, defective, reply, overlay))
            stage.advance()
    return answers


def auroc(normal: Sequence[float], anomalous: Sequence[float]) -> float:
    """Area under the ROC curve: the probability that an anomalous image scores above a normal one."""
    ranks = rankdata([*anomalous, *normal])
    positives = len(anomalous)
    return float((ranks[:positives].sum() - positives * (positives + 1) / 2) / (positives * len(normal)))


def _draw(answers: Sequence[Answer], out_dir: Path) -> None:
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
    return {True: "ANOMALOUS", False: "normal", None: "unknown product"}[reply["is_anomalous"]]


def _tell(out: Output, job: Demo, settings: Settings, products: Sequence[Product], answers: Sequence[Answer]) -> None:
    document: dict[str, Any] = {
        "backbone": settings.backbone,
        "classes": [],
        "images": [_flat(answer) for answer in answers],
    }
    kinds: dict[tuple[str, bool], list[Answer]] = {}
    for answer in answers:
        kinds.setdefault((answer.product, answer.defective), []).append(answer)
    rows = [
        (
            answer.file.name, f"{answer.product}, {'defective' if answer.defective else 'good'}",
            answer.reply["class_name"], answer.reply["anomaly_score"], answer.reply["threshold"],
            _verdict(answer.reply), round(answer.reply["processing_time_ms"]),
        )
        for kind in kinds.values() for answer in kind[:_ROWS]
    ]  # fmt: skip
    out.table(("image", "what it is", "class found", "score", "threshold", "verdict", "ms"), rows)
    if len(rows) < len(answers):
        out.say(f"... the first {_ROWS} of each kind; all {len(answers)} are in {job.out_dir / 'results.json'}")
    summary = [_summary(product, [a for a in answers if a.product == product.class_name]) for product in products]
    out.say("")
    out.table(list(summary[0]), [list(row.values()) for row in summary])
    (job.out_dir / "results.json").write_text(json.dumps(document, indent=1))
    out.result(document)
    sample = next((job.out_dir / "images").glob("*-defective-*"), None)
    out.say(f"\nOverlays: {job.out_dir / 'overlays'}/ and, side by side, {job.out_dir / 'overlays.png'}")
    out.say("To go on: make serve, open http://127.0.0.1:8000/docs, or in a second terminal")
    out.say(f"  curl -s -F file=@{sample} -F return_map=false -F explain=true http://127.0.0.1:8000/detect")


def _summary(product: Product, answers: Sequence[Answer]) -> dict[str, Any]:
    judged = [answer for answer in answers if answer.reply["status"] == "ok"]
    scores = {
        defective: [answer.reply["anomaly_score"] for answer in judged if answer.defective == defective]
        for defective in (False, True)
    }
    found = [answer for answer in judged if answer.defective and answer.reply["is_anomalous"]]
    false_alarms = [answer for answer in judged if not answer.defective and answer.reply["is_anomalous"]]
    return {
        "class": product.class_name,
        "images": len(answers),
        "class right": sum(answer.reply["class_name"] == product.class_name for answer in answers),
        "unknown product": len(answers) - len(judged),
        "image AUROC": auroc(scores[False], scores[True]) if scores[False] and scores[True] else None,
        "defects found": f"{len(found)} of {sum(answer.defective for answer in answers)}",
        "false alarms": f"{len(false_alarms)} of {sum(not answer.defective for answer in answers)}",
    }


def _flat(answer: Answer) -> dict[str, Any]:
    return {
        "image": str(answer.file), "product": answer.product, "defective": answer.defective,
        "overlay": str(answer.overlay) if answer.overlay else None, **answer.reply,
    }  # fmt: skip
