"""The use case of acceptance: a judged picture becomes a reference, because a person says that it is normal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from patchbank.bank.edge.flat_draft import FlatDraft
from patchbank.bank.manifest import Manifest
from patchbank.bank.store import Bank, PatchStore
from patchbank.bank.view import View
from patchbank.bank.widened import ChangedSource, WidenedBank
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.stream import Seen
from patchbank.errors import AlreadyKnown
from patchbank.judging.judge import Judge
from patchbank.progress import SILENT, Progress
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.settings import Settings
from patchbank.teaching.feed import PatchFeed
from patchbank.teaching.pixel_range import LearntRange
from patchbank.teaching.plan import Extension, TeachOptions
from patchbank.teaching.provenance import Provenance
from patchbank.teaching.reader import Reader
from patchbank.teaching.teacher import Teacher, TeachReport
from patchbank.text import file_stem

_STAYS: Final = (
    "the thresholds stay as they are: the picture was chosen because its verdict was doubted, so its score tells "
    "nothing of how normal pictures score"
)


@dataclass(frozen=True)
class Picture:
    """A picture that is to be accepted: the file's content, its name, and the detection that it comes from."""

    data: bytes
    file_name: str
    detection_id: str


class Acceptor:
    """Accepts pictures as normal, or tells what would be judged if they were."""

    def __init__(self, settings: Settings, embedder: Embedder, store: PatchStore) -> None:
        self.settings = settings
        self.embedder = embedder
        self.store = store

    def accept(
        self,
        class_name: str,
        picture: Picture,
        *,
        by: str = "",
        note: str = "",
        serve: bool = True,
        progress: Progress = SILENT,
    ) -> TeachReport:
        """Let a version serve that holds the picture as a reference. The thresholds stay.

        Raises ``AlreadyKnown`` where it is one, and the errors of ``Teacher.teach``.
        """
        with _file(picture) as path:
            bank = self.store.bank(class_name)
            rule = LearntRange.known(bank.manifest).rule
            pictures = self.embedder.pictures.within(self.settings.image_limits)
            _refuse_known(bank, pictures.read(path, rule).image_id)  # before anything is begun
            provenance = Provenance(by, note, {path: picture.file_name}, accepted_from=picture.detection_id)
            options = TeachOptions(provenance=provenance, serve=serve, trusted=True, strict=True)
            teacher = Teacher(self.settings, self.embedder, self.store)
            report = teacher.teach(class_name, [path], options=options, extend=True, progress=progress)
        if not report.joined:
            raise _known(class_name, picture)
        return report

    def trial(self, class_name: str, picture: Picture) -> ChangedSource:
        """The banks as they would be with the picture accepted. Nothing is written. Raises ``AlreadyKnown``."""
        view = View(self.store)
        bank = view.bank(class_name)
        manifest = bank.manifest
        with _file(picture) as path:
            seen = self._seen(bank, path)
        added = FlatDraft()
        plan = Extension.of(manifest, TeachOptions(), self.settings)
        added.add_reference(Provenance().reference(seen, "", ""), seen.embedding.cls)
        with closing(PatchFeed(added, plan.ratio, plan.room, 1, InspectedAreas(manifest.roi), SILENT)) as feed:
            feed.add(seen)
            feed.finish()
        widened = WidenedBank(bank, added, manifest)
        widened = WidenedBank(bank, added, _refitted(widened, manifest))
        return ChangedSource(self.store, view.pointers, widened, added)

    def _seen(self, bank: Bank, path: Path) -> Seen:
        """The picture, embedded as the class wants it. Raises ``AlreadyKnown``."""
        manifest = bank.manifest
        areas, values = InspectedAreas(manifest.roi), LearntRange.known(manifest)
        reader = Reader(self.settings, self.embedder, areas, SILENT, values, strict=True, scales=manifest.scales)
        (seen,) = reader.read([path], "embedding")
        _refuse_known(bank, seen.picture.image_id)
        return seen


def _refuse_known(bank: Bank, image_id: str) -> None:
    if image_id in bank.cls_vectors()[0]:
        raise AlreadyKnown(
            f"the picture is a reference of {bank.manifest.class_name!r} already: {image_id}", image_id=image_id
        )


def stays(report: TeachReport) -> list[str]:
    """What people should know of an acceptance."""
    return [_STAYS, *report.remarks]


def _refitted(bank: WidenedBank, manifest: Manifest) -> Manifest:
    """With the subspace of what the bank would hold, where patches are scored by one."""
    if manifest.scoring.patch_score != "subspace":
        return manifest
    judge = Judge.fitted(bank, manifest.scoring, manifest.foreground, InspectedAreas(manifest.roi))
    return manifest.model_copy(update={"subspace": judge.subspace})


def _known(class_name: str, picture: Picture) -> AlreadyKnown:
    return AlreadyKnown(f"the picture of detection {picture.detection_id} is a reference of {class_name!r} already")


@contextmanager
def _file(picture: Picture) -> Iterator[Path]:
    """The picture as a file of its own name: references are named after their files."""
    suffix = Path(picture.file_name).suffix[:10]
    with TemporaryDirectory(prefix="patchbank-") as folder:
        path = Path(folder) / f"{file_stem(picture.file_name) or 'picture'}{suffix if suffix.isascii() else ''}"
        path.write_bytes(picture.data)
        yield path
