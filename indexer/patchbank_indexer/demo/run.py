"""The steps of the demo: teach, serve, detect, draw, report."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from patchbank.bank.open_store import open_store
from patchbank.client import Client, ClientError
from patchbank.disk import write_error
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.embedding.model_files import find_backbone
from patchbank.errors import StoreUnavailable
from patchbank.judging.backbone_choice import settled
from patchbank.settings import Settings
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product, load_products
from patchbank_indexer.demo.report import Answer, draw, tell
from patchbank_indexer.demo.server import running_service
from patchbank_indexer.output import Output


@dataclass(frozen=True)
class Demo:
    """Where to put things, how many images per class, which backbone (None: that of the settings where they name one,
    else the built-in one)."""

    data_dir: Path
    out_dir: Path
    references: int
    held_out: int
    backbone: str | None


def run_demo(settings: Settings, out: Output, job: Demo) -> None:
    """Run it all; the result is a table, image AUROC per class, overlays and a contact sheet."""
    products = load_products(job.references, job.held_out)
    settings = with_demo_backbone(settings, out, job.backbone)
    pictures = job.out_dir / "overlays"
    try:
        shutil.rmtree(pictures, ignore_errors=True)
        pictures.mkdir(parents=True)
    except OSError as error:
        raise write_error(error, f"{job.out_dir} cannot be written", StoreUnavailable, job.out_dir) from error
    _teach(settings, out, products)
    with running_service(settings, job.out_dir / "service.log") as http:
        answers = _detect(Client(str(http.base_url), http=http), out, products, pictures)
    draw(answers, job.out_dir)
    tell(out, job.out_dir, settings.backbone, products, answers)


def with_demo_backbone(settings: Settings, out: Output, asked: str | None) -> Settings:
    """The settings with the demo's backbone, which is told."""
    if asked is None and "backbone" not in settings.model_fields_set:
        out.remark(f"using the built-in backbone {BUILT_IN}; PATCHBANK_BACKBONE or --backbone names another")
        return settings.model_copy(update={"backbone": BUILT_IN})
    settings = settings.model_copy(update={"backbone": asked or settings.backbone})
    with closing(open_store(settings)) as store:
        settings = settled(settings, store, out.remark)
    name = find_backbone(settings.backbone, settings.data_dir).name
    out.remark(f"using the backbone {name}")
    return settings


def _teach(settings: Settings, out: Output, products: Sequence[Product]) -> None:
    store = open_store(settings)
    try:
        with Embedder.open(settings) as embedder:
            teacher = Teacher(settings, embedder, store)
            for product in products:
                out.remark(f"teaching {product.class_name} from {len(product.references)} images of good parts")
                with out.progress() as progress:
                    report = teacher.teach(product.class_name, product.references, progress=progress)
                for aside in report.set_aside:
                    out.remark(f"  set aside {aside.path.name}: {aside.message} [{aside.reason}]")
                manifest = report.manifest
                out.remark(f"  {manifest.patches} patches, threshold {manifest.calibration.threshold:.4f}")
    finally:
        store.close()


def _detect(client: Client, out: Output, products: Sequence[Product], pictures: Path) -> list[Answer]:
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
            try:
                answer = client.detect(file, map_format="overlay")
            except ClientError as error:
                raise StoreUnavailable(f"{file}: {error}") from error
            overlay, encoded = None, answer.anomaly_map_base64
            if encoded is not None:
                kind = "defective" if defective else "good"
                overlay = pictures / f"{product.class_name}-{kind}-{file.stem}.png"
                overlay.write_bytes(base64.b64decode(encoded))
            reply = answer.model_dump(mode="json", exclude={"anomaly_map_base64", "grey_values"})
            answers.append(Answer(product.class_name, file, defective, reply, overlay))
            stage.advance()
    return answers
