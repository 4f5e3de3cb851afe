"""The ``PatchStore`` protocol: what every bank store does, whatever its engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from patchbank.arrays import ByteArray, FloatArray, IntArray
from patchbank.bank.finding import Finding
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import ID_BYTES, BankRef
from patchbank.bank.pointers import Pointers
from patchbank.bank.reference import Reference, ReferenceFacts
from patchbank.progress import SILENT, Progress


@dataclass(frozen=True)
class Neighbours:
    """The nearest bank patches of Q queries.

    ``distances`` float32 (Q, k): cosine distances, ascending, ``inf`` where fewer were found. ``ids`` uint8 (Q, k, 16):
    point ids. ``exact`` says whether the search was exhaustive; if not, a distance may be too high, never too low.
    """

    distances: FloatArray
    ids: ByteArray
    exact: bool


@dataclass(frozen=True)
class BankSpec:
    """Sizes of the embeddings that a new bank is made for."""

    patch_dim: int
    cls_dim: int


@dataclass(frozen=True)
class RouterHit:
    """A reference image near in CLS space; ``similarity`` is the cosine, -1..1."""

    class_name: str
    image_id: str
    similarity: float


@dataclass(frozen=True)
class NodeState:
    """One node of a bank store's server: whether it answered when it was last asked, since when (``time.time``) it does
    not, and what it said instead."""

    url: str
    answers: bool
    away_since: float | None = None
    told: str = ""


@dataclass(frozen=True)
class CacheState:
    """What this process keeps in memory of the patches on a server: number of ``parts`` and their ``size`` in bytes, at
    most ``limit``. Of the searches of a part so far, ``found`` were answered from memory, and ``missed`` were not."""

    parts: int
    size: int
    limit: int
    found: int
    missed: int


@dataclass(frozen=True)
class Retrieved:
    """What class retrieval found: ``hits``, nearest first. The classes that are ``silent`` could not be asked, for
    these reasons: their images may be taken for another class's."""

    hits: list[RouterHit]
    silent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PatchBlock:
    """Some patches of a bank: ``ids`` uint8 (M, 16), their point ids; ``vectors`` float32 (M, D)."""

    ids: ByteArray
    vectors: FloatArray

    @property
    def image_ids(self) -> list[str]:
        """The image id of each patch."""
        digits, length = self.ids[:, :ID_BYTES].tobytes().hex(), 2 * ID_BYTES
        return [digits[begin : begin + length] for begin in range(0, len(digits), length)]

    @property
    def cells(self) -> IntArray:
        """Row and column of each patch (M, 2)."""
        return np.ascontiguousarray(self.ids[:, 12:]).view(">u2").astype(np.int64)


class PatchIndex(Protocol):
    """Something whose patches can be searched: an active bank, or one being built."""

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_images: Sequence[str] = ()
    ) -> Neighbours:
        """The k nearest patches of each of ``queries`` (Q, D), L2-normalised, without those of some images."""
        ...


@dataclass(frozen=True)
class Look:
    """Queries (Q, D), L2-normalised, and the images whose patches are left out of their search."""

    queries: FloatArray
    exclude_images: Sequence[str] = ()


class ManyIndex(PatchIndex, Protocol):
    """A ``PatchIndex`` that searches for many images at once; ``nearest`` is at a sample where it need not be exact."""

    def nearest_of_each(self, looks: Sequence[Look], k: int, *, exact: bool) -> list[Neighbours]:
        """``nearest`` for each, in fewer passes over the patches; without ``exact`` mostly the nearest of all."""
        ...


class BankContent(Protocol):
    """All content of a bank; enough to make the same bank elsewhere."""

    @property
    def manifest(self) -> Manifest:
        """The bank's description."""
        ...

    def references(self) -> list[Reference]:
        """All reference images, by name."""
        ...

    def cls_vectors(self) -> tuple[list[str], FloatArray]:
        """Image ids and CLS embeddings (M, D') of all reference images."""
        ...

    def patches(self) -> Iterator[PatchBlock]:
        """All patches, block by block."""
        ...


class Bank(PatchIndex, BankContent, Protocol):
    """One version of a class, open for reading."""

    def reference_facts(self) -> list[ReferenceFacts]:
        """All reference images without their pictures, by name."""
        ...

    def reference(self, image_id: str) -> Reference:
        """One reference image. Raises ``UnknownReference``."""
        ...

    def image_patches(self, image_id: str) -> FloatArray:
        """The bank's patches (M, D) of one reference image, by row and column, turned copies last; none for an unknown
        image."""
        ...


class Draft(PatchIndex, Protocol):
    """A version being built, invisible until ``activate``. Leaving the ``with`` block without it drops the version."""

    @property
    def ref(self) -> BankRef:
        """Class and future version."""
        ...

    def add_reference(self, reference: Reference, cls: FloatArray) -> None:
        """Add a reference image's CLS embedding (D',) and payload."""
        ...

    def add_patches(self, image_ids: Sequence[str], cells: IntArray, vectors: FloatArray) -> None:
        """Add patches: image id and (row, column) of each of ``vectors`` (M, D)."""
        ...

    def has_reference(self, image_id: str) -> bool:
        """Whether the draft holds that reference image."""
        ...

    def withdraw(self, image_id: str) -> None:
        """Leave out a reference image of the version that this one extends, with its patches. Raises
        ``UnknownReference``."""
        ...

    def cls_vectors(self) -> tuple[list[str], FloatArray]:
        """Image ids and CLS embeddings (M, D') of all reference images."""
        ...

    def image_patches(self, image_id: str) -> FloatArray:
        """The draft's patches (M, D) of one reference image."""
        ...

    def patches(self) -> Iterator[PatchBlock]:
        """All patches, block by block."""
        ...

    def count_patches(self) -> int:
        """Number of patches so far."""
        ...

    def seal(self) -> None:
        """Build the search index; nothing can be added afterwards."""
        ...

    def for_many(self) -> ManyIndex | None:
        """The same patches, once sealed, searched in the way that suits many images; None where there is no better way
        than one after the other."""
        ...

    def activate(self, manifest: Manifest, *, serve: bool = True) -> Manifest:
        """Write the manifest and let this version serve, in one atomic step. Returns what was written: the manifest
        with the parts that the version is made of. Without ``serve`` the version is finished, and another one goes on
        serving: ``PatchStore.activate`` can let it serve later."""
        ...

    def __enter__(self) -> Draft: ...
    def __exit__(self, *exc: object) -> None: ...


class ViewSource(Protocol):
    """What a ``View`` reads from."""

    @property
    def place(self) -> str:
        """Where the banks are, in words for people."""
        ...

    def pointers(self) -> Pointers:
        """The current pointers; a change by another process shows at the next call."""
        ...

    def open_bank(self, ref: BankRef, *, serves: bool) -> Bank:
        """A finished version. Where it is missing, raises ``DamagedBank`` if it ``serves``, else ``UnknownVersion``."""
        ...

    def find_references(self, pointers: Pointers, fingerprint: str, cls: FloatArray, k: int) -> Retrieved:
        """The k reference images nearest to ``cls`` (D',) among the banks of that preprocessing fingerprint that the
        pointers name."""
        ...


class PatchStore(ViewSource, Protocol):
    """Banks of all classes: read by the service, written by the indexer.

    ``active``, ``bank`` and ``nearest_references`` read the store anew each time. A caller that needs more than one
    answer makes a ``View``.
    """

    def active(self) -> Mapping[str, str]:
        """Active version per class."""
        ...

    def bank(self, class_name: str, version: str | None = None) -> Bank:
        """A class's active (or given) version. Raises ``UnknownClass``, ``UnknownVersion`` or ``DamagedBank``."""
        ...

    def nearest_references(self, fingerprint: str, cls: FloatArray, k: int) -> list[RouterHit]:
        """The k reference images nearest to ``cls`` (D',) among active banks of that preprocessing fingerprint."""
        ...

    def versions(self, class_name: str) -> list[str]:
        """All finished versions of a class, oldest first."""
        ...

    def draft(
        self, class_name: str, spec: BankSpec, base: BankRef | None = None, *, replaces: BankRef | None = None
    ) -> Draft:
        """Begin a new version, empty or with all that ``base`` holds. Raises ``ClassBusy`` while another one is built,
        and where ``base``, or the version that it ``replaces``, serves no longer.

        The parts of ``base`` are shared, not copied; ``Draft.seal`` merges some where that is worth it.
        """
        ...

    def activate(self, ref: BankRef) -> None:
        """Let an existing version serve."""
        ...

    def prune(self, class_name: str, keep: int) -> list[str]:
        """Remove all versions of a class but the newest ``keep`` and the one that serves; those that were removed."""
        ...

    def remove(self, class_name: str) -> None:
        """Remove a class with all its versions."""
        ...

    def engine(self) -> str:
        """Name and version of what stores the banks; a server is asked for its own."""
        ...

    def nodes(self) -> list[NodeState]:
        """The nodes of the store's server as they were when they were last asked; none for an embedded store."""
        ...

    def cache(self) -> CacheState | None:
        """What of the server's patches is kept in memory; None where nothing is to be."""
        ...

    def check(self, ref: BankRef) -> None:
        """Check that a version that serves can be used: all that was not checked since it last changed. Mends what can
        be. Raises ``DamagedBank``."""
        ...

    def verify(self, class_name: str | None = None, progress: Progress = SILENT) -> list[Finding]:
        """Check everything of a class, or of all classes, anew, whatever it takes; mends what can be. Raises
        ``UnknownClass``."""
        ...

    def sweep(self) -> None:
        """Remove what interrupted changes left, as far as nobody is at work on it. Raises nothing."""
        ...

    def check_writable(self) -> None:
        """Raise what a change of a class would raise where nothing can be written. No class is touched."""
        ...

    def require_space(self, class_name: str, spec: BankSpec, references: int, patches: int) -> None:
        """Raise ``DiskFull`` where a version with so many new references and patches would not fit, as far as that is
        known before anything is written."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...
