"""From a request's picture to its class, where the class says how the picture is to be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from patchbank.bank.pixel_range import rule_of
from patchbank.bank.view import View
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.embedding import Embedding
from patchbank.errors import DamagedBank, UnknownPixelRange, UnknownVersion
from patchbank.images import CERTAIN, UNKNOWN, DecodedImage, OpenedImage, RangeRule, UnknownRange, White, white_for
from patchbank.judging.clock import StageClock
from patchbank.judging.retriever import ClassRetriever
from patchbank.scales import Scales
from patchbank.scoring.class_retrieval import Retrieval

RetrieverOf = Callable[[Embedding, View], ClassRetriever]
"""Class retrieval of an embedded image in a view."""

_NO_CLASS: Final = UnknownRange("no taught class has references with such values")


@dataclass(frozen=True)
class Recognised:
    """A picture, as it was read for its class, and what class retrieval says of it. ``notes`` say how it was read."""

    image: DecodedImage
    embedding: Embedding
    retriever: ClassRetriever
    retrieval: Retrieval
    notes: tuple[str, ...] = ()


class Recogniser:
    """Recognises one request's picture.

    Nearly all files say how they are to be read, and are embedded once, before any view of the store is needed. 16-bit
    grey without a range is read as the references of its class were. Where no class is named, it is read with a white
    of the taught classes, and, if the class that is retrieved has another one, once more with that.
    """

    def __init__(
        self, source: OpenedImage | DecodedImage, embedder: Embedder, retriever_of: RetrieverOf, clock: StageClock
    ) -> None:
        self._source = source
        self._embedder = embedder
        self._retriever_of = retriever_of
        self._clock = clock
        self._read: dict[int | None, tuple[DecodedImage, Embedding]] = {}
        self._greatest = source.greatest if isinstance(source, OpenedImage) else None
        if self._greatest is None:
            self._at(None)

    def recognise(self, view: View, class_name: str | None) -> Recognised:
        """The picture in a view of the store; ``class_name`` is the class that the caller names.

        Raises ``UnknownPixelRange`` for a picture whose range is not known or not that of its class.
        """
        if self._greatest is None:
            return self._look(view, None, class_name)
        if class_name is not None:
            return self._as_class(self._look(view, self._white_in(view, class_name), class_name), view, class_name)
        return self._find(view, self._greatest)

    def _find(self, view: View, greatest: int) -> Recognised:
        """Read with the likeliest white first; once more where that turns out wrong, or shows no known product."""
        whites = self._possible(view, greatest)
        used, *others = whites
        seen = self._look(view, used, None)
        name = seen.retrieval.class_name
        wanted = self._white_in(view, name) if name is not None else next(iter(others), used)
        if wanted != used:
            used, seen = wanted, self._look(view, wanted, None)
            name = seen.retrieval.class_name
            if name is not None and self._white_in(view, name) != used:
                raise UnknownPixelRange(
                    f"{self._name}: 16-bit grey whose greatest value is {greatest}: for each range that it is read "
                    "with, it looks like a class of another range; name its class",
                    greatest=greatest,
                )
        if name is not None:
            return self._as_class(seen, view, name)
        if greatest >= CERTAIN:  # read as it would be without any class
            return seen
        darker = ", so that it is read too dark if it has fewer bits" if white_for(greatest) < used else ""
        note = f"16-bit values 0 to {used}, as the references of taught classes; the greatest is {greatest}{darker}"
        return replace(seen, notes=(note,))

    def _possible(self, view: View, greatest: int) -> list[int]:
        """Whites with which the picture may be read, that of most classes first. Raises ``UnknownPixelRange`` where
        there is none."""
        if greatest >= CERTAIN:
            return [UNKNOWN.white_of(greatest, self._name)]
        whites: Counter[int] = Counter()
        for name in sorted(view.active):
            try:
                manifest = view.bank(name).manifest
            except (DamagedBank, UnknownVersion):  # told where it is the one that is like the picture
                continue
            pixel_range = manifest.pixel_range
            same_pixels = manifest.backbone.fingerprint == self._embedder.fingerprint
            if pixel_range is not None and same_pixels and pixel_range.white >= greatest:
                whites[pixel_range.white] += 1
        ordered = sorted(whites, key=lambda white: (-whites[white], white))
        return ordered or [_NO_CLASS.white_of(greatest, self._name)]

    def _rule(self, view: View, class_name: str) -> RangeRule:
        return rule_of(view.bank(class_name).manifest.pixel_range, class_name)

    def _white_in(self, view: View, class_name: str) -> int:
        assert self._greatest is not None  # noqa: S101  # callers check
        return self._rule(view, class_name).white_of(self._greatest, self._name)

    def _as_class(self, seen: Recognised, view: View, class_name: str) -> Recognised:
        return replace(seen, notes=self._rule(view, class_name).notes(self._greatest))

    def _look(self, view: View, white: int | None, class_name: str | None) -> Recognised:
        image, embedding = self._at(white)
        with self._clock.time("retrieve"):
            retriever = self._retriever_of(embedding, view)
            retrieval = retriever.retrieve(quick=class_name is not None)
        return Recognised(image, embedding, retriever, retrieval)

    def embedding_of(self, seen: Recognised, scales: Scales) -> Embedding:
        """The picture's embedding at the scales of its class; only what is not known yet is computed."""
        with self._clock.time("embed"):
            return self._embedder.refine(seen.image, seen.embedding, scales)

    def _at(self, white: int | None) -> tuple[DecodedImage, Embedding]:
        """The picture as it is with that white, and its embedding; made once. None: it needs none."""
        if white not in self._read:
            source = self._source
            with self._clock.time("decode"):
                rule = UNKNOWN if white is None else White(white)
                image = source.read(rule) if isinstance(source, OpenedImage) else source
            with self._clock.time("embed"):
                self._read[white] = image, self._embedder.embed(image)
        return self._read[white]

    @property
    def _name(self) -> str:
        return self._source.name if isinstance(self._source, OpenedImage) else "image"
