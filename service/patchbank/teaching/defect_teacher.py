"""The use case of known defects: what a person confirmed to be a defect is named in the answers that follow."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from patchbank.arrays import BoolArray, FloatArray, IntArray
from patchbank.bank.coreset import select_coreset
from patchbank.bank.defect_record import MOST_OF_ONE, MOST_PATCHES, THUMBNAIL, DefectRecord, encoded
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import now
from patchbank.bank.store import Bank, PatchStore
from patchbank.embedding.embedder import Embedder
from patchbank.errors import DefectAlreadyKnown, DefectNotDistinct, InvalidMask, InvalidParameters, TooManyDefects
from patchbank.images import DecodedImage, cell_box
from patchbank.judging.compatibility import CompatibilityChecks
from patchbank.judging.judge import Judge
from patchbank.judging.retriever import Likeness
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.scoring.known_defects import farthest_match
from patchbank.scoring.most_alike import MostAlike
from patchbank.settings import Settings
from patchbank.teaching.defect_patches import defect_cells, distinctive, filled, touched
from patchbank.teaching.groups import Groups
from patchbank.teaching.pixel_range import LearntRange
from patchbank.teaching.republish import republish
from patchbank.teaching.roi_drawing import Box
from patchbank.teaching.sightings import Sightings
from patchbank.text import quoted, storable

MOST_NAME: Final = 60
"""Most characters of a defect's name."""


@dataclass(frozen=True)
class DefectReport:
    """Result of teaching a known defect: the version before, the new one, and the defect.

    So many patches were ``kept``; ``indistinct`` ones were left out because good parts have such patches too, and
    ``stood_for`` ones because kept ones are much like them. ``remarks`` say what people should know.
    """

    before: Manifest
    manifest: Manifest
    defect: DefectRecord
    kept: int
    indistinct: int
    stood_for: int
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class DefectFacts:
    """What is said of a defect: its ``name``, who confirmed it, their ``note``, and where the picture came from."""

    name: str
    added_by: str = ""
    note: str = ""
    source: str = ""


class DefectTeacher:
    """Teaches known defects, each as a new version that shares all patches with the one before. No score and no
    threshold changes."""

    def __init__(self, settings: Settings, embedder: Embedder, store: PatchStore) -> None:
        self.settings = settings
        self.embedder = embedder
        self.store = store
        self._pictures = embedder.pictures.within(settings.image_limits)

    def add(
        self,
        class_name: str,
        picture: Path | bytes,
        facts: DefectFacts,
        *,
        mask: Path | None = None,
        box: Box | None = None,
        serve: bool = True,
    ) -> DefectReport:
        """Teach the defect that a picture shows: a file, or its bytes. ``mask`` (white: the defect) or ``box`` say
        where it is; else it is where the picture is anomalous.

        Raises ``DefectNotDistinct`` where good parts look the same to the network, ``DefectAlreadyKnown``,
        ``TooManyDefects`` where the class has room for no more, ``InvalidMask``, ``InvalidParameters`` for a name that
        makes no sense, the errors of ``read_image``, ``BackboneMismatch``, and ``ClassBusy`` where the class is being
        changed. Nothing is changed in these cases.
        """
        bank = self.store.bank(class_name)
        proposal = self.proposed(bank, picture, facts, mask=mask, box=box)
        before, record, chosen = bank.manifest, proposal.record, proposal.chosen
        changes = {"defects": (*before.defects, record), "reason": "known defects"}
        manifest = republish(self.store, before, changes, serve=serve)
        return DefectReport(before, manifest, record, record.count, chosen.indistinct, chosen.stood_for, chosen.remarks)

    def proposed(
        self,
        bank: Bank,
        picture: Path | bytes,
        facts: DefectFacts,
        *,
        mask: Path | None = None,
        box: Box | None = None,
    ) -> ProposedDefect:
        """The defect as a bank would know it; nothing is changed. Raises what ``add`` raises."""
        name = checked_name(facts.name)
        if mask is not None and box is not None:
            raise InvalidParameters("give a mask or a box, not both")
        before = bank.manifest
        CompatibilityChecks(self.embedder).check(before)
        decoded = self._read(picture, before)
        marked = self._marked(decoded, mask, box)
        if decoded.image_id in bank.cls_vectors()[0]:
            raise DefectNotDistinct(
                f"the picture is a reference of {before.class_name!r}, so all that it shows is normal: withdraw it "
                f"first (`indexer references remove {before.class_name} {decoded.image_id}`)",
                image_id=decoded.image_id,
            )
        chosen = self._patches(bank, decoded, marked)
        record = DefectRecord(
            id=_id_of(name, decoded.image_id, chosen.patches),
            name=name,
            added_at=now(),
            added_by=storable(facts.added_by),
            note=storable(facts.note),
            source=storable(facts.source or (str(picture.absolute()) if isinstance(picture, Path) else "")),
            image_id=decoded.image_id,
            box=chosen.box,
            count=len(chosen.patches),
            patches=encoded(chosen.patches),
            thumbnail=_thumbnail(decoded, chosen.box),
        )
        _check_room(before, record)
        return ProposedDefect(record, chosen)

    def _read(self, picture: Path | bytes, manifest: Manifest) -> DecodedImage:
        source = self._pictures.opened(picture) if isinstance(picture, bytes) else self._pictures.open(picture)
        return source.read(LearntRange.known(manifest).rule)

    def _marked(self, decoded: DecodedImage, mask: Path | None, box: Box | None) -> BoolArray | None:
        if mask is not None:
            return self._pictures.mask(mask).bright()
        return None if box is None else filled(box, decoded)

    def _patches(self, bank: Bank, decoded: DecodedImage, marked: BoolArray | None) -> _Chosen:
        manifest = bank.manifest
        areas = InspectedAreas(manifest.roi)
        objection = areas.misfit(decoded.size)
        if objection is not None:
            raise InvalidMask(objection)
        embedding = self.embedder.embed(decoded, manifest.scales)
        threshold = manifest.calibration.mask_threshold
        judged = Judge.of(bank, areas).judge(embedding, threshold)
        within = None if marked is None else touched(marked, decoded.size, embedding.grid)
        cells = np.argwhere(defect_cells(judged, threshold, within))
        rows, columns = embedding.grid
        patches = embedding.patches[cells[:, 0] * columns + cells[:, 1]]
        groups = Sightings(bank.references()).groups()
        alone = Groups.ALONE if groups.one_part else groups
        told = distinctive(bank, alone, patches, farthest_match(manifest))
        indistinct = int(np.count_nonzero(~told))
        if not told.any():
            raise DefectNotDistinct(
                f"the defect is not told from good parts of {manifest.class_name!r}: near to each of its {len(cells)} "
                "patches there is one of a good reference that is nearer to it than to the other references. Mark "
                "where the defect is, or teach the class at a finer detail (docs/defects.md)",
                patches=len(cells),
            )
        cells, patches = cells[told], patches[told]
        kept = select_coreset(patches, MOST_OF_ONE, np.random.default_rng(0)).kept
        remarks = []
        if not (judged.patches.scores[tuple(cells.T)] > threshold).any():
            remarks.append(
                "no patch of the defect is above the pixel threshold, so only the most anomalous one was taken; was it "
                "where the defect is? A box or a mask marks the place"
            )
        if indistinct:
            remarks.append(
                f"{indistinct} of {len(told)} patches are left out, because good parts have such patches too"
            )
        if not Likeness(bank, areas, MostAlike()).holds(embedding):
            remarks.append("the picture is unlike every reference of the class; is it one of this product?")
        return _Chosen(
            patches[kept],
            _around(cells, decoded.size, (rows, columns)),
            indistinct,
            len(cells) - len(kept),
            tuple(remarks),
        )


@dataclass(frozen=True)
class ProposedDefect:
    """A defect that may be taught, and how its patches were ``chosen``."""

    record: DefectRecord
    chosen: _Chosen


@dataclass(frozen=True)
class _Chosen:
    """The patches (M, D) of a defect, where they lie (left, top, right, bottom), and how many were left out."""

    patches: FloatArray
    box: tuple[int, int, int, int]
    indistinct: int
    stood_for: int
    remarks: tuple[str, ...]


def checked_name(name: str) -> str:
    """The name as it is stored, without blanks around it. Raises ``InvalidParameters`` for an empty or a long one."""
    told = storable(name).strip()
    if not told or len(told) > MOST_NAME or not told.isprintable():
        raise InvalidParameters(f"a defect's name is one line of 1 to {MOST_NAME} characters, not {quoted(name)}")
    return told


def _id_of(name: str, image_id: str, patches: FloatArray) -> str:
    """The same for the same patches of the same picture under the same name."""
    digest = hashlib.sha256(f"{name}\0{image_id}\0".encode())
    digest.update(encoded(patches).encode())
    return digest.hexdigest()[:12]


def _around(cells: IntArray, size: tuple[int, int], grid: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box around cells (M, 2) in a picture of ``size`` (width, height)."""
    boxes = np.array([cell_box(size, grid, row, column) for row, column in cells.tolist()])
    left, top = boxes[:, :2].min(axis=0).tolist()
    right, bottom = boxes[:, 2:].max(axis=0).tolist()
    return left, top, right, bottom


def _thumbnail(decoded: DecodedImage, box: tuple[int, int, int, int]) -> str:
    left, top, right, bottom = box
    crop = DecodedImage.of_pixels(np.ascontiguousarray(decoded.pixels[top:bottom, left:right]))
    return base64.b64encode(crop.thumbnail(THUMBNAIL)).decode()


def _check_room(before: Manifest, record: DefectRecord) -> None:
    if any(known.id == record.id for known in before.defects):
        raise DefectAlreadyKnown(
            f"{before.class_name!r} knows this defect of this picture already as {quoted(record.name)}", id=record.id
        )
    held = sum(known.count for known in before.defects)
    if held + record.count > MOST_PATCHES:
        raise TooManyDefects(
            f"the known defects of {before.class_name!r} have {held} patches, this one has {record.count}, and "
            f"{MOST_PATCHES} is the limit: remove some that are like others, or mark a smaller part of the picture",
            held=held,
            limit=MOST_PATCHES,
        )
