"""A class moved from store to store, and through a file: content, verdicts and failures."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from patchbank.arrays import FloatArray
from patchbank.bank.archive import Archive, write_archive
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.manifest import LAYOUT
from patchbank.bank.region_of_interest import RegionOfInterest
from patchbank.bank.store import Bank, BankContent
from patchbank.bank.transfer import put_class
from patchbank.embedding.embedder import Embedder
from patchbank.errors import DamagedBank, DamagedSnapshot, InvalidClassName, SnapshotNotWritable
from patchbank.judging.inspector import Inspector
from patchbank.judging.verdict import Verdict
from patchbank.settings import load_settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product
from tests.helpers.banks import FINGERPRINT, SPEC, fill, manifest, teach, vectors
from tests.helpers.stores import KINDS, StoreKind, store_kind

OpenKind = Callable[[str], StoreKind]


@pytest.fixture
def open_kind(tmp_path: Path) -> Iterator[OpenKind]:
    """Opens a store of a given kind on its own banks."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(store_kind(name, tmp_path / f"{name}-{len(list(tmp_path.iterdir()))}"))


def content_of(bank: BankContent) -> tuple[object, list[str], FloatArray, dict[bytes, bytes]]:
    image_ids, cls = bank.cls_vectors()
    order = np.argsort(image_ids)
    patches = {
        point.tobytes(): vector.tobytes()
        for block in bank.patches()
        for point, vector in zip(block.ids, block.vectors, strict=True)
    }
    return bank.references(), [image_ids[place] for place in order], cls[order], patches


def assert_same(moved: BankContent, original: BankContent) -> None:
    (references, ids, cls, patches), expected = content_of(moved), content_of(original)
    assert (references, ids, patches) == (expected[0], expected[1], expected[3])
    assert (cls == expected[2]).all()
    ignored = {"version", "class_name", "parts", "reason"}
    assert moved.manifest.model_dump(exclude=ignored) == original.manifest.model_dump(exclude=ignored)


@pytest.mark.parametrize("source", KINDS)
def test_a_class_goes_through_a_file_bit_by_bit(open_kind: OpenKind, source: str, tmp_path: Path) -> None:
    store = open_kind(source).open()
    roi = RegionOfInterest.of(np.eye(40, 60, dtype=np.bool_), (600, 400))
    teach(store, "part", images=7, roi=roi)
    path = tmp_path / "part.patchbank"
    write_archive(path, store.bank("part"))
    with Archive(path) as archive:
        assert_same(archive, store.bank("part"))
        target = open_kind("edge").open()
        moved = put_class(archive, target)
    assert moved.version != store.active()["part"]
    assert_same(target.bank("part"), store.bank("part"))
    assert target.bank("part").manifest == moved
    assert moved.roi == roi


@pytest.mark.parametrize(("source", "target"), [("edge", "wire"), ("wire", "edge")])
def test_a_class_goes_from_store_to_store_bit_by_bit(open_kind: OpenKind, source: str, target: str) -> None:
    first, second = open_kind(source).open(), open_kind(target).open()
    teach(first, "part", 1, roi=RegionOfInterest.of(np.eye(40, 60, dtype=np.bool_), (600, 400)))
    before = teach(second, "part", 2)
    moved = put_class(first.bank("part"), second)
    assert second.versions("part") == [before.version, moved.version]
    assert_same(second.bank("part"), first.bank("part"))
    assert len(second.nearest_references(FINGERPRINT, vectors(8, 3, 4)[0], 10)) == 3


def test_a_class_can_be_restored_under_another_name(open_kind: OpenKind, tmp_path: Path) -> None:
    store = open_kind("edge").open()
    teach(store, "part")
    write_archive(tmp_path / "file", store.bank("part"))
    with Archive(tmp_path / "file") as archive:
        put_class(archive, store, "other")
        with pytest.raises(InvalidClassName):
            put_class(archive, store, "../other")
    assert_same(store.bank("other"), store.bank("part"))
    assert store.bank("other").manifest.class_name == "other"


def test_a_bank_of_more_than_one_block_goes_through_a_file(open_kind: OpenKind, tmp_path: Path) -> None:
    store = open_kind("edge").open()
    with store.draft("part", SPEC) as draft:
        fill(draft, [vectors(number, 5_000) for number in range(2)], vectors(7, 2, 4))
        draft.seal()
        draft.activate(manifest(draft, references=2, patches=10_000, dims=(8, 4)))
    write_archive(tmp_path / "file", store.bank("part"))
    with Archive(tmp_path / "file") as archive:
        assert_same(archive, store.bank("part"))


def rewritten(path: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """The archive with one entry changed."""
    out = path.with_name("changed")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.namelist():
            new.writestr(entry, change(old.read(entry)) if entry == name else old.read(entry))
    return out


def _cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-300])
    return path


def _flipped(path: Path) -> Path:
    raw = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo("vectors.npy").header_offset + 300
    raw[place] ^= 1
    path.write_bytes(raw)
    return path


def _text(path: Path) -> Path:
    path.write_text("hello")
    return path


def _doubled(raw: bytes) -> bytes:
    listed = json.loads(raw)
    return json.dumps([*listed[:-1], listed[0]]).encode()


def in_entry(name: str, old: bytes, new: bytes) -> Callable[[Path], Path]:
    """Damages one entry by replacing ``old``, which must be in it."""

    def change(raw: bytes) -> bytes:
        assert old in raw
        return raw.replace(old, new)

    return lambda path: rewritten(path, name, change)


DAMAGE: dict[str, Callable[[Path], Path]] = {
    "cut off": _cut,
    "a bit": _flipped,
    "no archive": _text,
    "no manifest": lambda path: rewritten(path, "manifest.json", lambda _: b"{}"),
    "newer layout": in_entry("manifest.json", f'"layout": {LAYOUT}'.encode(), f'"layout": {LAYOUT + 1}'.encode()),
    "too few vectors": lambda path: rewritten(path, "vectors.npy", lambda raw: raw[:-4]),
    "too many vectors": lambda path: rewritten(path, "vectors.npy", lambda raw: raw + b"1234"),
    "wrong count": in_entry("manifest.json", b'"patches": 18', b'"patches": 19'),
    "pickled": in_entry("ids.npy", b"|u1", b"|O8"),
    "a reference twice": lambda path: rewritten(path, "references.json", _doubled),
    "a wrong id": in_entry("references.json", b"0" * 24, b"../" * 8),
    "a wrong type": in_entry("references.json", b'"rows": 1', b'"rows": "x"'),
    "a stranger's patch": lambda path: rewritten(path, "ids.npy", lambda raw: raw[:-16] + b"\xee" * 16),
    "a patch twice": lambda path: rewritten(path, "ids.npy", lambda raw: raw[:-16] + raw[-32:-16]),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_snapshot_is_an_error_and_changes_nothing(open_kind: OpenKind, damage: str, tmp_path: Path) -> None:
    kind = open_kind("edge")
    store = kind.open()
    ref = teach(store, "part")
    path = tmp_path / "file"
    write_archive(path, store.bank("part"))
    before = kind.collections()
    with pytest.raises((DamagedSnapshot, DamagedBank)), Archive(DAMAGE[damage](path)) as archive:
        put_class(archive, store)
    assert kind.collections() == before
    assert store.bank("part").manifest.ref == ref


def test_a_snapshot_that_cannot_be_written_leaves_the_old_one(open_kind: OpenKind, tmp_path: Path) -> None:
    kind = open_kind("edge")
    store = kind.open()
    ref = teach(store, "part")
    with pytest.raises(SnapshotNotWritable):
        write_archive(tmp_path / "nowhere" / "file", store.bank("part"))
    path = tmp_path / "file"
    write_archive(path, store.bank("part"))
    raw = path.read_bytes()
    bank = store.bank("part")
    kind.damage(ref)
    with pytest.raises(DamagedBank):
        write_archive(path, _without_open_files(kind, bank))
    assert path.read_bytes() == raw
    assert list(tmp_path.glob(".*")) == []


def _without_open_files(kind: StoreKind, bank: Bank) -> Bank:
    """The same bank, opened again."""
    return kind.open().bank(bank.manifest.class_name)


def test_verdicts_stay_the_same_from_edge_to_server_to_edge(
    tmp_path: Path, embedder: Embedder, products: dict[str, Product], open_kind: OpenKind
) -> None:
    settings = load_settings(data_dir=tmp_path / "data")
    first = EdgeStore(settings.data_dir)
    product = products["solar_mono"]
    Teacher(settings, embedder, first).teach("solar", product.references[:6], options=TeachOptions(coreset=0.03))
    server, last = open_kind("wire").open(), EdgeStore(tmp_path / "back")
    put_class(first.bank("solar"), server)
    put_class(server.bank("solar"), last)
    for file in (*product.good[:2], *product.defective[:2]):
        verdicts: list[Verdict] = []
        for store in (first, server, last):
            verdict = Inspector(settings, embedder, store).inspect(file).verdict
            assert verdict is not None
            verdicts.append(verdict)
        for verdict in verdicts[1:]:
            assert verdict.score == pytest.approx(verdicts[0].score, abs=1e-5)
            assert verdict.map == pytest.approx(verdicts[0].map, abs=1e-5)
            assert (verdict.is_anomalous, verdict.threshold) == (verdicts[0].is_anomalous, verdicts[0].threshold)
    first.close()
    last.close()
