"""The use case: an image, and perhaps a class, becomes an inspection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Final, Literal

import numpy as np

from patchbank.bank.manifest import Manifest
from patchbank.bank.open_store import open_store
from patchbank.bank.store import Bank, PatchStore, ViewSource
from patchbank.bank.view import View, with_view
from patchbank.deadline import check_deadline
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.embedding import Embedding
from patchbank.errors import EmptyBank, InvalidParameters
from patchbank.images import DecodedImage, OpenedImage
from patchbank.judging.backbone_choice import NAMED, choose, with_backbone
from patchbank.judging.choice_file import Choice
from patchbank.judging.clock import StageClock
from patchbank.judging.compatibility import CompatibilityChecks
from patchbank.judging.decision import Reason
from patchbank.judging.explanation import Compared, compared_at, nearest_normal
from patchbank.judging.frame import FrameLook
from patchbank.judging.frozen import FrozenWatch
from patchbank.judging.judge import Judge
from patchbank.judging.notes import nothing_to_compare, second_opinion, took_no_part
from patchbank.judging.recognition import Recogniser
from patchbank.judging.retriever import ClassRetriever
from patchbank.judging.verdict import Explained, Inspection, Verdict
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.scoring.known_defects import KnownDefects, farthest_match
from patchbank.scoring.most_alike import MostAlike
from patchbank.scoring.regions import find_regions
from patchbank.scoring.resolution import resolution_of
from patchbank.scoring.threshold import p_value, review_threshold, shortfall
from patchbank.settings import Settings, load_settings

_CLASSES: Final = 256
"""Classes whose inspected areas are kept."""

_DECODED: Final = 64
"""Classes whose known defects are kept decoded."""


class Inspector:
    """Judges images against the banks of a store. Thread-safe; use it as a context manager or call ``close``.

    >>> with Inspector.open() as inspector:
    ...     inspection = inspector.inspect(Path("part.png"))
    """

    def __init__(
        self,
        settings: Settings,
        embedder: Embedder,
        store: PatchStore,
        watch: FrozenWatch | None = None,
        choice: Choice | None = None,
    ) -> None:
        """``watch`` counts the pictures that come, where frozen ones are to be told; verdicts then depend on their
        order. ``choice`` says why this is the backbone, where the settings don't name it."""
        self.settings = settings
        self.embedder = embedder
        self.choice = choice or Choice(embedder.backbone.name, "setting", NAMED)
        self.store = store
        self._pictures = embedder.pictures.within(settings.image_limits)
        self.compatibility = CompatibilityChecks(embedder)
        self._most_alike = MostAlike()
        self._watch = watch
        self._areas = lru_cache(_CLASSES)(InspectedAreas)
        self._known = lru_cache(_DECODED)(KnownDefects)

    @classmethod
    def open(
        cls,
        settings: Settings | None = None,
        *,
        search_workers: int = 0,
        decoders: int = 0,
        watch: FrozenWatch | None = None,
    ) -> Inspector:
        """Backbone and store as the settings say. Searches run in this process unless ``search_workers`` are asked for,
        and so does the decoding of pictures unless ``decoders`` are: strangers' files are safe in these alone."""
        settings = settings or load_settings()
        store = open_store(settings, search_workers, caching=True)
        try:
            choice = choose(settings, store)
            settings = with_backbone(settings, choice)
            return cls(settings, Embedder.open(settings, decoders), store, watch, choice)
        except BaseException:
            store.close()
            raise

    def inspect(
        self,
        image: Path | str | bytes | DecodedImage,
        class_name: str | None = None,
        *,
        version: str | None = None,
        threshold: float | None = None,
        pixel_threshold: float | None = None,
        explain: bool = False,
        source: ViewSource | None = None,
    ) -> Inspection:
        """Judge one image: a path, encoded bytes, or a decoded picture.

        Without ``class_name`` the product is retrieved; one that is like no taught class is answered
        ``unknown_product``. ``version`` is one of the named class that is to judge in the place of the serving one.
        ``threshold`` overrides the calibrated ones, of the image and of the pixels, and
        ``pixel_threshold`` that of the pixels alone. ``explain`` names the nearest normal patch of every region.
        ``source`` has the banks, in the place of the store.
        Raises ``PatchbankError`` kinds for bad images, unknown classes and banks that can't serve, and
        ``DeadlinePassed`` where the work has a deadline (``patchbank.deadline.working_until``).
        """
        if version is not None and class_name is None:
            raise InvalidParameters("a version is one of a class: name the class too")
        clock = StageClock()
        asked = _Asked(version, threshold, threshold if pixel_threshold is None else pixel_threshold)
        check_deadline()
        with clock.time("decode"):
            opened_image = self._open(image)
        recogniser, frames = Recogniser(opened_image, self.embedder, self.retriever, clock), FrameLook(self._watch)
        return with_view(
            source or self.store, lambda view: self._answer(view, recogniser, frames, class_name, asked, explain, clock)
        )

    def nearest(
        self,
        image: Path | str | bytes | DecodedImage,
        class_name: str,
        point: tuple[int, int],
        *,
        version: str | None = None,
    ) -> Compared:
        """The patch of an image at a ``point`` (x, y), in pixels of the upright original, beside its nearest normal
        patch of a class. Raises what ``inspect`` raises, and ``InvalidParameters`` for a point beside the image."""
        clock = StageClock()
        check_deadline()
        recogniser = Recogniser(self._open(image), self.embedder, self.retriever, clock)

        def compared(view: View) -> Compared:
            check_deadline()
            bank = self.serving_bank(class_name, view, version)
            seen = recogniser.recognise(view, class_name)
            embedding = recogniser.embedding_of(seen, bank.manifest.scales)
            check_deadline()
            found = compared_at(bank, self.embedder, embedding, self._areas_of(bank.manifest), point)
            return replace(found, warnings=(*seen.image.warnings, *seen.notes))

        return with_view(self.store, compared)

    def _answer(
        self,
        view: View,
        recogniser: Recogniser,
        frames: FrameLook,
        class_name: str | None,
        asked: _Asked,
        explain: bool,
        clock: StageClock,
    ) -> Inspection:
        check_deadline()
        seen = recogniser.recognise(view, class_name)
        check_deadline()
        decoded, retriever, retrieval = seen.image, seen.retriever, seen.retrieval
        notes = [
            *decoded.warnings,
            *seen.notes,
            *took_no_part(retriever.silent),
            *second_opinion(class_name, retrieval),
        ]
        if class_name is None and not retrieval.scores:
            notes.append(nothing_to_compare(len(view.active), self.embedder.backbone.name))
        name = class_name or retrieval.class_name
        with clock.time("decode"):
            frame = frames.at(decoded)
        verdict, report = None, frame.report(None, None)
        clock.spent_ms["search"] = 0.0
        if name is not None:
            with clock.time("search"):
                bank = self.serving_bank(name, view, asked.version)
                like = class_name is None or retriever.is_like(bank)
            embedding = recogniser.embedding_of(seen, bank.manifest.scales)
            check_deadline()
            with clock.time("search"):
                report = frame.report(name, bank.manifest.frames)
                verdict = self._judge(bank, embedding, asked, explain, like, report.fault is not None)
                verdict = replace(verdict, similarity=retriever.similarity(bank))
            notes += [f"{name}: {doubt}" for doubt in self._doubts(bank.manifest, decoded, like)]
        status: Literal["ok", "unknown_product"] = "unknown_product" if verdict is None else "ok"
        backbone, told = self.embedder.backbone.name, (*notes, *report.notes)
        return Inspection(
            status, decoded, verdict, retrieval, backbone, clock.spent_ms, told, report.fault, frame.facts.brightness
        )

    def _doubts(self, manifest: Manifest, decoded: DecodedImage, like: bool) -> list[str]:
        """What a caller should know beside the verdict."""
        doubts = [shortfall(manifest.calibration), self._areas_of(manifest).misfit(decoded.size)]
        if manifest.resolution is not None:
            geometry = self.embedder.geometry(decoded.size, manifest.scales)
            doubts.append(manifest.resolution.doubt(resolution_of(geometry)))
        if not like:
            doubts.append("the image is unlike every reference of the class, so it is anomalous whatever its score")
        return [doubt for doubt in doubts if doubt is not None]

    def serving_bank(self, class_name: str, view: View | None = None, version: str | None = None) -> Bank:
        """The class's active bank, or another version; refused where it was made with other embeddings, fails the
        self-test or is empty."""
        bank = (view or View(self.store)).bank(class_name, version)
        self.compatibility.check(bank.manifest)
        if bank.manifest.patches == 0:
            raise EmptyBank(f"the bank of {class_name!r} holds no patches")
        return bank

    def _open(self, image: Path | str | bytes | DecodedImage) -> OpenedImage | DecodedImage:
        if isinstance(image, DecodedImage):
            return image
        return self._pictures.opened(image) if isinstance(image, bytes) else self._pictures.open(Path(image))

    def retriever(self, embedding: Embedding, view: View) -> ClassRetriever:
        """Class retrieval of an embedded image."""
        voters = self.settings.retrieval_neighbours
        return ClassRetriever(view, embedding, self.compatibility, self._areas_of, self._most_alike, voters=voters)

    def _areas_of(self, manifest: Manifest) -> InspectedAreas:
        return self._areas(manifest.roi)

    def _judge(
        self, bank: Bank, embedding: Embedding, asked: _Asked, explain: bool, like: bool, bad_frame: bool
    ) -> Verdict:
        manifest = bank.manifest
        calibration = manifest.calibration
        threshold = calibration.threshold if asked.images is None else asked.images
        review = min(review_threshold(calibration), threshold)
        cut = calibration.mask_threshold if asked.pixels is None else asked.pixels
        known = self._known(manifest.defects, farthest_match(manifest)) if manifest.defects else None
        judged = Judge.of(bank, self._areas_of(manifest), known).judge(embedding, cut)
        matches = judged.matches
        applies: dict[Reason, bool] = {
            "score": judged.score > threshold,
            "unlike_class": not like,
            "known_defect": matches is not None,
            "bad_frame": bad_frame,
        }
        check_deadline()
        values, inspected = judged.map(), judged.inspected_pixels()
        above = int(np.count_nonzero((values > cut) & inspected))
        return Verdict(
            class_name=manifest.class_name,
            reasons=tuple(reason for reason, yes in applies.items() if yes),
            score=judged.score,
            threshold=threshold,
            calibrated_threshold=calibration.threshold,
            review_threshold=review,
            pixel_threshold=cut,
            p_value=p_value(judged.score, calibration),
            anomalous_share=above / max(1, int(np.count_nonzero(inspected))),
            map=values,
            inspected=inspected,
            cells=judged.cells(),
            regions=tuple(
                Explained(
                    region,
                    nearest_normal(bank, self.embedder, embedding, judged.patches, region) if explain else None,
                    None if matches is None else matches.named(region.marks),
                )
                for region in find_regions(values, cut, inspected, marked=None if matches is None else matches.cells)
            ),
            bank_version=manifest.version,
        )

    def close(self) -> None:
        """Release the backbone and the store."""
        self.embedder.close()
        self.store.close()

    def __enter__(self) -> Inspector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class _Asked:
    """The version that the caller names, and thresholds; None takes the serving and the calibrated one."""

    version: str | None
    images: float | None
    pixels: float | None
