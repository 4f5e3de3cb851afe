"""Whatever happens to a file of a class, no answer changes silently, and the other classes go on.

``PATCHBANK_TEST_DAMAGES=N`` makes N random damages, from the seed ``PATCHBANK_TEST_SEED`` on.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from patchbank.bank.edge import store as store_module
from patchbank.bank.edge.flat_part import FlatPart
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.names import BankRef
from patchbank.bank.sealed_document import sealed
from patchbank.bank.store import Bank, BankSpec
from patchbank.errors import DamagedBank
from tests.helpers.banks import FINGERPRINT, fill, image_id, manifest, reference, unit, vectors
from tests.helpers.damage import Damage, files_below
from tests.helpers.places import fast_folder

DAMAGES: Final = int(os.environ.get("PATCHBANK_TEST_DAMAGES", "16"))
SEED: Final = int(os.environ.get("PATCHBANK_TEST_SEED", "1"))
INDEX_FROM: Final = 300
DIM: Final = 16
IMAGES: Final = 5
SIZE: Final = 80

QUERIES: Final = unit(np.random.default_rng(99).normal(size=(12, DIM)))


def images(seed: int) -> list[np.ndarray[Any, Any]]:
    return [unit(np.random.default_rng((seed, number)).normal(size=(SIZE, DIM))) for number in range(IMAGES)]


def opened(data_dir: Path) -> EdgeStore:
    return EdgeStore(data_dir, index_from=INDEX_FROM)


def taught(store: EdgeStore, class_name: str, seed: int) -> BankRef:
    """A class with a large part, which has a graph, and a small one that was added, one image of which is withdrawn."""
    with store.draft(class_name, BankSpec(DIM, 4)) as draft:
        fill(draft, images(seed), vectors(seed, IMAGES, 4))
        draft.seal()
        draft.activate(manifest(draft, references=IMAGES, patches=IMAGES * SIZE, dims=(DIM, 4)))
    with store.draft(class_name, BankSpec(DIM, 4), BankRef(class_name, store.active()[class_name])) as draft:
        for number in (20, 21):
            draft.add_reference(reference(number, 1, 6), vectors(number, 1, 4)[0])
            cells = np.stack([np.zeros(6, dtype=np.int64), np.arange(6)], axis=1)
            draft.add_patches([image_id(number)] * 6, cells, vectors(number, 6, DIM))
        draft.seal()
        draft.activate(manifest(draft, references=IMAGES + 2, patches=IMAGES * SIZE + 12, dims=(DIM, 4)))
    with store.draft(class_name, BankSpec(DIM, 4), BankRef(class_name, store.active()[class_name])) as draft:
        draft.withdraw(image_id(21))
        draft.seal()
        return draft.activate(manifest(draft, references=IMAGES + 1, patches=IMAGES * SIZE + 6, dims=(DIM, 4))).ref


@pytest.fixture(scope="module")
def sound() -> Iterator[Path]:
    """A data directory with two classes, ``part`` and ``other``."""
    with tempfile.TemporaryDirectory(dir=fast_folder()) as folder:
        data_dir = Path(folder) / "sound"
        with closing(opened(data_dir)) as store:
            taught(store, "part", 1)
            taught(store, "other", 2)
        yield data_dir


@pytest.fixture
def data_dir(sound: Path) -> Iterator[Path]:
    copy = sound.with_name("copy")
    subprocess.run(["cp", "-a", "--sparse=always", str(sound), str(copy)], check=True)
    yield copy
    shutil.rmtree(copy)


def answers_of(bank: Bank, store: EdgeStore) -> dict[str, Any]:
    """Everything that a verdict may rest on."""
    exact = bank.nearest(QUERIES, 3, exact=True)
    without = bank.nearest(QUERIES, 2, exact=True, exclude_images=[image_id(1), image_id(20)])
    ids, cls = bank.cls_vectors()
    order = np.argsort(ids)
    name = bank.manifest.class_name
    return {
        "manifest": bank.manifest,
        "distances": exact.distances.round(5).tolist(),
        "ids": exact.ids.tolist(),
        "without": without.distances.round(5).tolist(),
        "references": bank.references(),
        "cls": (sorted(ids), cls[order].tolist()),
        "patches": [bank.image_patches(image_id(number)).tolist() for number in (0, 3, 20, 21)],
        "hits": [
            (hit.image_id, round(hit.similarity, 5))
            for hit in store.nearest_references(FINGERPRINT, vectors(1, 1, 4)[0], 100)
            if hit.class_name == name
        ],
    }


def approximate_is_never_too_low(bank: Bank) -> None:
    for left_out in ([], [image_id(1), image_id(2)]):
        quick = bank.nearest(QUERIES, 3, exclude_images=left_out)
        exact = bank.nearest(QUERIES, 3, exact=True, exclude_images=left_out)
        assert (quick.distances >= exact.distances - 1e-5).all()


def check(store: EdgeStore, expected: dict[str, dict[str, Any]], damaged: Path) -> str:
    """The answers are the sound ones, or there is an error of the class ``part`` alone."""
    other = store.bank("other")
    assert answers_of(other, store) == expected["other"], damaged
    approximate_is_never_too_low(other)
    try:
        bank = store.bank("part")
        approximate_is_never_too_low(bank)
        assert answers_of(bank, store) == expected["part"], damaged
    except DamagedBank as error:
        return error.message
    return ""


@pytest.fixture(scope="module")
def expected(sound: Path) -> dict[str, dict[str, Any]]:
    with closing(opened(sound)) as store:
        assert not store.bank("part").nearest(QUERIES, 1).exact, "it is searched by its graph"
        return {name: answers_of(store.bank(name), store) for name in ("part", "other")}


def files_of(data_dir: Path, class_name: str = "part") -> list[Path]:
    folders = (data_dir / "collections").glob(f"patchbank__{class_name}__*")
    return [*files_below(*folders), data_dir / "aliases.json", data_dir / "aliases.copy.json"]


@pytest.mark.parametrize("number", range(DAMAGES))
@pytest.mark.parametrize("when", ["closed", "open"])
def test_no_random_damage_changes_an_answer_silently(
    data_dir: Path, expected: dict[str, dict[str, Any]], number: int, when: str
) -> None:
    damage = Damage.random(random.Random(f"{SEED} {number} {when}"))  # noqa: S311
    with closing(opened(data_dir)) as store:
        if when == "open":
            check(store, expected, data_dir)
        hurt = damage.do(files_of(data_dir))
        check(store, expected, hurt)
        assert all(finding.class_name in {"", "part"} for finding in store.verify() if finding.state != "sound")
    with closing(opened(data_dir)) as store:
        check(store, expected, hurt)


def truth(data_dir: Path, file: str) -> Path:
    """A file of the large part of ``part``."""
    folders = (data_dir / "collections").glob("patchbank__part__*")
    (large,) = (folder for folder in folders if (folder / "shard").is_dir())
    return large / file


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 | 3] ^= 0x40
    path.write_bytes(raw)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n{}")


def become_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE: Final[dict[str, Callable[[Path], None]]] = {
    "flipped": flip,
    "cut": cut,
    "deleted": Path.unlink,
    "empty": empty,
    "with more behind it": grow,
    "a directory": become_a_directory,
}


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize(
    "file", ["exact/vectors.npy", "exact/ids.npy", "cls/vectors.npy", "cls/ids.npy", "references.json"]
)
def test_a_damaged_flat_file_is_an_error_of_that_class_alone(
    data_dir: Path, expected: dict[str, dict[str, Any]], file: str, how: str
) -> None:
    DAMAGE[how](truth(data_dir, file))
    with closing(opened(data_dir)) as store:
        assert "there is no second copy" in check(store, expected, truth(data_dir, file))
        with pytest.raises(DamagedBank, match=file.split("/", maxsplit=1)[0]):
            store.check(BankRef("part", store.active()["part"]))
        (damaged,) = (finding for finding in store.verify() if finding.state != "sound")
        assert (damaged.state, damaged.class_name, damaged.what) == ("damaged", "part", "part")


def test_verifying_mends_and_tells(data_dir: Path) -> None:
    flip(truth(data_dir, "shard.json"))
    with closing(opened(data_dir)) as store:
        (healed,) = (finding for finding in store.verify() if finding.state != "sound")
        assert (healed.state, healed.class_name, healed.what) == ("healed", "part", "part")
        assert "its graph was made anew" in healed.message
        assert {finding.state for finding in store.verify()} == {"sound"}
        assert not store.bank("part").nearest(QUERIES, 1).exact, "it is searched by its graph again"
    assert not list((data_dir / "collections").glob("*/.mending-*"))


def test_a_graph_of_an_earlier_release_is_made_anew(data_dir: Path) -> None:
    stored = json.loads(truth(data_dir, "shard.json").read_text())
    truth(data_dir, "shard.json").write_text(json.dumps(sealed({"files": stored["files"]})))
    with closing(opened(data_dir)) as store:
        assert store.bank("part").nearest(QUERIES, 1).exact, "exhaustively"
        (healed,) = (finding for finding in store.verify() if finding.state != "sound")
        assert "older release" in healed.message or "made anew" in healed.message
        assert not store.bank("part").nearest(QUERIES, 1).exact


def test_a_class_whose_cls_embeddings_are_lost_has_no_vote_and_that_is_told(data_dir: Path) -> None:
    flip(truth(data_dir, "cls/vectors.npy"))
    with closing(opened(data_dir)) as store:
        found = store.find_references(store.pointers(), FINGERPRINT, vectors(1, 1, 4)[0], 100)
        assert {hit.class_name for hit in found.hits} == {"other"}
        assert list(found.silent) == ["part"]
        assert "cls" in found.silent["part"]


def test_a_damaged_graph_is_searched_around_and_made_anew_by_the_check(data_dir: Path) -> None:
    (links,) = truth(data_dir, "shard").glob("segments/*/vector_index-patch/links_compressed.bin")
    os.truncate(links, links.stat().st_size // 2)
    with closing(opened(data_dir)) as store:
        bank = store.bank("part")
        assert bank.nearest(QUERIES, 1).exact, "exhaustively"
        store.check(bank.manifest.ref)
        end = time.monotonic() + 60
        while bank.nearest(QUERIES, 1).exact:  # it is made anew while it is searched on
            assert time.monotonic() < end
            time.sleep(0.05)


def test_a_check_reads_what_changed_alone_though_there_are_more_parts_than_are_kept_open(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_CACHED", 1)
    read: list[str] = []
    check_part = FlatPart.check

    def check_and_tell(part: FlatPart) -> None:
        read.append(part._folder.name)
        check_part(part)

    monkeypatch.setattr(FlatPart, "check", check_and_tell)
    with closing(opened(data_dir)) as store:
        refs = [BankRef(name, version) for name, version in store.active().items()]
        for ref in refs:
            store.check(ref)
        assert len(read) == len(set(read)) == 4, "two parts of two classes"
        for ref in refs:
            store.check(ref)
        assert len(read) == 4
        flip(truth(data_dir, "exact/vectors.npy"))
        for ref in refs:
            with pytest.raises(DamagedBank) if ref.class_name == "part" else nullcontext():
                store.check(ref)
        assert len(read) == 5


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_is_read(data_dir: Path, expected: dict[str, dict[str, Any]]) -> None:
    subprocess.run(["chmod", "-R", "a-w", str(data_dir)], check=True)
    try:
        with closing(opened(data_dir)) as store:
            assert check(store, expected, data_dir) == ""
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(data_dir)], check=True)
