"""What a bank must hold, in plain terms, and whether it does: the model that stores are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray, IntArray
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import BankRef, PatchId
from patchbank.bank.store import Bank, Draft, PatchStore
from patchbank.errors import UnknownReference
from patchbank.scoring.threshold import calibrate
from tests.helpers.banks import FINGERPRINT, SPEC, image_id, manifest, reference, vectors

IMAGES: Final = range(10)
VARIANTS: Final = range(3)
"""The same image may be added again with other patches: a coreset has kept others."""

_COUNTS: Final = (6, 1, 0, 9, 40, 3)
_QUERIES: Final = vectors(4_242, 5)
_CLOSE: Final = 1e-5


@dataclass(frozen=True)
class Content:
    """A bank's images with the variant of each, its threshold and the fingerprint of its embeddings."""

    images: Mapping[int, int]
    threshold: float
    fingerprint: str = FINGERPRINT

    @property
    def patches(self) -> int:
        return sum(len(patches_of(number, variant)) for number, variant in self.images.items())

    def changed(self, add: Mapping[int, int], withdraw: Iterable[int], threshold: float) -> Content:
        """The content after a change."""
        kept = {number: variant for number, variant in self.images.items() if number not in set(withdraw)}
        return Content({**kept, **add}, threshold, self.fingerprint)


@dataclass
class Model:
    """Which versions of each class are kept, what each holds, and which one serves."""

    kept: dict[str, dict[str, Content]]
    active: dict[str, str] = field(default_factory=dict)
    keep: int = 2

    def serving(self, class_name: str) -> tuple[BankRef, Content] | None:
        """The version that serves, and what it holds."""
        version = self.active.get(class_name)
        return None if version is None else (BankRef(class_name, version), self.kept[class_name][version])

    def finished(self, ref: BankRef, content: Content, *, serve: bool = True) -> list[str]:
        """A version is kept, and serves, from now on; those that are retired for it."""
        self.kept[ref.class_name][ref.version] = content
        if serve:
            self.active[ref.class_name] = ref.version
        return self.pruned(ref.class_name, self.keep)

    def pruned(self, class_name: str, keep: int) -> list[str]:
        """The newest versions stay, and the one that serves; those that do not."""
        kept, active = self.kept[class_name], self.active.get(class_name)
        retired = [version for version in sorted(kept)[:-keep] if version != active]
        for version in retired:
            del kept[version]
        return retired

    def removed(self, class_name: str) -> None:
        """A class is gone with all its versions."""
        self.active.pop(class_name, None)
        self.kept[class_name] = {}

    @property
    def contents(self) -> dict[str, Content]:
        """What each class must find."""
        return {class_name: self.kept[class_name][version] for class_name, version in self.active.items()}

    def collections(self, store: PatchStore, class_name: str) -> set[str]:
        """The collections that the kept versions of a class are made of, by their manifests."""
        names = {BankRef(class_name, version).collection for version in self.kept[class_name]}
        for version in self.kept[class_name]:
            shares = store.open_bank(BankRef(class_name, version), serves=False).manifest.shares
            names |= {BankRef(class_name, part.version).collection for part in shares}
        return names


def patches_of(number: int, variant: int) -> FloatArray:
    """Patches (M, 8) of an image; M is 0 for some."""
    return vectors(1_000 + 10 * number + variant, _COUNTS[(number + 2 * variant) % len(_COUNTS)])


def cells_of(patches: FloatArray) -> IntArray:
    """Rows of four."""
    return np.stack(np.divmod(np.arange(len(patches)), 4), axis=1)


def summary_of(number: int, variant: int) -> FloatArray:
    """CLS embedding (4,) of an image."""
    return np.asarray(vectors(5_000 + 10 * number + variant, 1, 4)[0])


def add_images(draft: Draft, images: Mapping[int, int]) -> None:
    """Put images into a draft."""
    for number, variant in images.items():
        patches = patches_of(number, variant)
        draft.add_reference(reference(number, 11, 4), summary_of(number, variant))
        draft.add_patches([image_id(number)] * len(patches), cells_of(patches), patches)


def finish(draft: Draft, content: Content, *, serve: bool = True) -> Manifest:
    """Finish a sealed draft and let it serve."""
    return draft.activate(
        manifest(
            draft,
            references=len(content.images),
            patches=content.patches,
            dims=(8, 4),
            fingerprint=content.fingerprint,
            calibration=calibrate([content.threshold / 2, content.threshold], "held-out", 0.4),
        ),
        serve=serve,
    )


def changed(
    store: PatchStore,
    class_name: str,
    base: BankRef | None,
    add: Mapping[int, int],
    withdraw: Iterable[int],
    to: Content,
    *,
    serve: bool = True,
) -> Manifest:
    """A new version of ``base``, or a class taught anew, that must hold ``to``."""
    with store.draft(class_name, SPEC, base) as draft:
        for number in withdraw:
            draft.withdraw(image_id(number))
        add_images(draft, add)
        draft.seal()
        return finish(draft, to, serve=serve)


def check_bank(bank: Bank, content: Content) -> None:
    """Fail where a bank differs from what it must hold, in any answer."""
    images = {image_id(number): (number, variant) for number, variant in content.images.items()}
    facts = bank.manifest
    assert (facts.references, facts.patches) == (len(images), content.patches)
    assert facts.calibration.scores[-1] == content.threshold
    assert [item.image_id for item in bank.references()] == sorted(images)
    held, summaries = bank.cls_vectors()
    assert sorted(held) == sorted(images)
    for name, summary in zip(held, summaries, strict=True):
        assert np.abs(summary - summary_of(*images[name])).max() < _CLOSE
    points: dict[bytes, FloatArray] = {}
    for block in bank.patches():
        points.update(zip(map(bytes, block.ids), block.vectors, strict=True))
    assert len(points) == content.patches
    absent = [number for number in IMAGES if number not in content.images]
    for number in [*content.images, *absent[:2]]:
        _check_image(bank, number, content)
    _check_searches(bank, content, points)


def _check_image(bank: Bank, number: int, content: Content) -> None:
    name = image_id(number)
    if number in content.images:
        assert bank.reference(name) == reference(number, 11, 4)
        expected = patches_of(number, content.images[number])
        answer = bank.image_patches(name)
        assert len(answer) == len(expected)
        assert len(expected) == 0 or np.abs(answer - expected).max() < _CLOSE
        return
    assert bank.image_patches(name).size == 0
    try:
        bank.reference(name)
    except UnknownReference:
        return
    raise AssertionError(f"{name} is no reference of this version")


def _check_searches(bank: Bank, content: Content, points: Mapping[bytes, FloatArray]) -> None:
    """Every search against all distances, computed here from the model; ``points`` must be the model's, too."""
    truth = {
        bytes.fromhex(f"{image_id(number)}{row:04x}{column:04x}"): patch
        for number, variant in content.images.items()
        for (row, column), patch in zip(cells_of(patches_of(number, variant)), patches_of(number, variant), strict=True)
    }
    assert points.keys() == truth.keys()
    assert all(np.abs(points[point] - patch).max() < _CLOSE for point, patch in truth.items())
    nobody: tuple[int, ...] = ()
    first = (min(content.images),)
    for k, exact, left_out in ((1, True, nobody), (4, False, first), (60, True, first), (60, False, nobody)):
        without = {image_id(number) for number in left_out}
        ids = [point for point in truth if point.hex()[:24] not in without]
        visible = np.asarray([truth[point] for point in ids], dtype=np.float64).reshape(-1, SPEC.patch_dim)
        table = np.maximum(1.0 - _QUERIES.astype(np.float64) @ visible.T, 0.0)
        best = np.full((len(_QUERIES), k), np.inf)
        best[:, : min(k, len(ids))] = np.sort(table, axis=1)[:, :k]
        answer = bank.nearest(_QUERIES, k, exact=exact, exclude_images=sorted(without))
        assert answer.exact or not exact
        hit = np.isfinite(answer.distances)
        assert not answer.ids[~hit].any(), "an id without a distance"
        for row, column in np.argwhere(hit):
            point = bytes(answer.ids[row, column])
            assert point in ids, f"{PatchId.from_bytes(answer.ids[row, column])} is not visible"
            assert abs(table[row, ids.index(point)] - answer.distances[row, column]) < _CLOSE
        if answer.exact:
            assert (np.isfinite(best) == hit).all()
            assert np.abs(answer.distances[hit] - best[hit]).max(initial=0.0) < _CLOSE
        else:
            assert (answer.distances[hit] >= best[hit] - _CLOSE).all()


def check_votes(store: PatchStore, serving: Mapping[str, Content]) -> None:
    """Fail where class retrieval finds anything else than the references of the versions that serve."""
    query = vectors(99, 1, 4)[0]
    for fingerprint in sorted({FINGERPRINT, *(content.fingerprint for content in serving.values())}):
        expected = {
            (class_name, image_id(number)): float(query @ summary_of(number, variant))
            for class_name, content in serving.items()
            if content.fingerprint == fingerprint
            for number, variant in content.images.items()
        }
        hits = store.nearest_references(fingerprint, query, 100)
        assert len(hits) == len(expected)
        for hit in hits:
            assert abs(expected[hit.class_name, hit.image_id] - hit.similarity) < _CLOSE
        nearest = store.nearest_references(fingerprint, query, 1)
        assert [hit.similarity for hit in nearest] == [hit.similarity for hit in hits[:1]]
