"""The steps of an evaluation: find the data, teach, judge, report."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from patchbank.bank.edge.pool import PooledStore
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.open_store import open_store
from patchbank.bank.store import PatchStore
from patchbank.embedding.embedder import Embedder
from patchbank.errors import PatchbankError
from patchbank.judging.backbone_choice import settled
from patchbank.judging.inspector import Inspector
from patchbank.settings import AUTO, Settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.roi_drawing import RoiDrawing
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.datasets.dataset import ClassData, Purpose, with_masks
from patchbank_indexer.datasets.files import left_out_below
from patchbank_indexer.datasets.layouts import MANIFESTS, find_classes
from patchbank_indexer.datasets.left_out import LeftOut
from patchbank_indexer.evaluate.judging import judge_class
from patchbank_indexer.evaluate.report import check_writable, tell
from patchbank_indexer.evaluate.results import ClassResult, Problem
from patchbank_indexer.output import Output


@dataclass(frozen=True)
class EvaluateRequest:
    """What to evaluate, and how.

    ``references`` and ``tests`` bound how many images are used (tests: of the good and of the defective each);
    ``taught`` judges with the banks in the data directory instead of teaching; ``validation`` takes the threshold
    from the data set's validation images where it has some; ``masks`` is a folder with a mask for some classes.
    """

    root: Path
    layout: str = "auto"
    only: Sequence[str] = ()
    references: int | None = None
    tests: int | None = None
    taught: bool = False
    validation: bool = False
    options: TeachOptions = field(default_factory=TeachOptions)
    json_file: Path | None = None
    html_file: Path | None = None
    masks: Path | None = None


def evaluate(settings: Settings, out: Output, request: EvaluateRequest) -> int:
    """Evaluate, print the tables, write the files that are asked for; 1 where a test file could not be used, or a
    picture was left out because its format is not read."""
    files = [file for file in (request.json_file, request.html_file) if file is not None]
    for file in files:
        check_writable(file)
    purpose: Purpose = "judge" if request.taught else "teach"
    layout, classes = find_classes(request.root, request.layout, request.only, purpose=purpose)
    classes = [data.sample(request.references, request.tests) for data in classes]
    if request.masks is not None:
        classes = with_masks(classes, request.masks)
    if settings.backbone == AUTO:
        with closing(open_store(settings)) as store:
            settings = settled(settings, store, out.remark)
    results = judge_classes(settings, out, classes, request)
    left_out = _left_out(request, layout, classes)
    tell(out, request.root, layout, settings.backbone, results, left_out, request.json_file, request.html_file)
    for line in left_out.lines():
        out.remark(line)
    return int(left_out.hides_images or any(result.problems for result in results))


def _left_out(request: EvaluateRequest, layout: str, classes: Sequence[ClassData]) -> LeftOut:
    """What the data set names and what its folders hold besides. A manifest says which files of its folder count."""
    besides = left_out_below(_folders(request)).files if layout != MANIFESTS else ()
    return LeftOut([*(bad for data in classes for bad in data.left_out), *besides])


def _folders(request: EvaluateRequest) -> list[Path]:
    """Where the evaluated classes lie: all of the data set where they have no folders of their own."""
    wanted = [request.root / name for name in request.only]
    return wanted if wanted and all(folder.is_dir() for folder in wanted) else [request.root]


def judge_classes(
    settings: Settings, out: Output, classes: Sequence[ClassData], request: EvaluateRequest
) -> list[ClassResult]:
    """Teach all classes (unless they are taught), then judge each class's images among all of them."""
    with _opened(settings, request.taught) as inspector:
        skipped: dict[str, list[Problem]] = {}
        if not request.taught:
            skipped = {data.name: _teach(inspector, out, data, request) for data in classes}
        for data in classes:
            inspector.serving_bank(data.name)
        _warm_up(inspector, classes[0])
        results = []
        with out.progress() as progress:
            for data in classes:
                stage = progress.begin(f"judging {data.name}", len(data.tests))
                results.append(
                    judge_class(
                        inspector, data, stage, skipped.get(data.name, []), gallery=request.html_file is not None
                    )
                )
                stage.done()
    return results


@contextmanager
def _opened(settings: Settings, taught: bool) -> Iterator[Inspector]:
    """An inspector on the taught banks, or on an embedded store deleted afterwards; it searches as the API does."""
    with ExitStack() as stack:
        if taught:
            store = open_store(settings, settings.search_workers, caching=True)
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="patchbank-evaluate-"))
            store = _embedded(Path(folder), settings.search_workers)
        try:
            embedder = Embedder.open(settings)
        except BaseException:
            store.close()
            raise
        yield stack.enter_context(Inspector(settings, embedder, store))


def _embedded(folder: Path, workers: int) -> PatchStore:
    # never the store of the settings, which may be a server that others use
    return PooledStore(folder, workers, keep_versions=1) if workers else EdgeStore(folder, keep_versions=1)


def _teach(inspector: Inspector, out: Output, data: ClassData, request: EvaluateRequest) -> list[Problem]:
    """Teach a class; the references that were left out."""
    out.remark(f"teaching {data.name} from {len(data.references)} images")
    teacher = Teacher(inspector.settings, inspector.embedder, inspector.store)
    held_out = data.validation if request.validation and data.validation else None
    options = request.options
    if data.roi is not None:
        options = replace(options, roi=RoiDrawing(data.roi))
    with out.progress() as progress:
        report = teacher.teach(
            data.name,
            data.references,
            calibrate_with=held_out,
            options=options,
            progress=progress,
            tell=out.remark,
        )
    for aside in report.set_aside:
        out.remark(aside.line)
    for image in report.doubtful:
        out.remark(
            f"{image.path} scores {image.score:.3f}, far above the other calibration images: it sets no threshold"
        )
    return [Problem(bad.path, bad.error) for bad in report.skipped]


def _warm_up(inspector: Inspector, data: ClassData) -> None:
    """Judge an image beforehand: the first also pays for threads, caches and graph optimisation."""
    try:
        inspector.inspect(data.tests[0].file, data.name)
    except PatchbankError:  # reported when its turn comes
        return
