"""Banks on a disk that is full: an error that says so, and the disk as it was."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from patchbank.bank.archive import Archive, write_archive
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.store import BankSpec
from patchbank.bank.transfer import put_class
from patchbank.errors import DiskFull
from tests.helpers.banks import fill as fill_draft
from tests.helpers.banks import manifest, teach, vectors
from tests.helpers.small_disk import fill, read_only, small_disk

DIM = 256
"""Numbers of a patch: 3,000 of them take 3 MB."""

INDEX_FROM = 2_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """In memory, where the engine's files have no holes: 90 MB for a part of any size."""
    with small_disk(tmp_path / "disk", 400) as mounted:
        yield mounted


def opened(data_dir: Path) -> EdgeStore:
    return EdgeStore(data_dir, index_from=INDEX_FROM)


def used(disk: Path) -> int:
    return shutil.disk_usage(disk).used


def teach_much(store: EdgeStore, name: str, images: int = 3) -> None:
    """A version of 3 MB, and a graph."""
    with store.draft(name, BankSpec(DIM, 4)) as draft:
        fill_draft(draft, [vectors(number, 1_000, DIM) for number in range(images)], vectors(7, images, 4))
        draft.seal()
        draft.activate(manifest(draft, references=images, patches=1_000 * images, dims=(DIM, 4)))


@pytest.mark.parametrize("leave", [0, 100_000, 1_000_000, 3_500_000, 5_000_000, 8_000_000])
def test_a_change_on_a_full_disk_ends_with_the_old_version_and_gives_all_back(disk: Path, leave: int) -> None:
    with closing(opened(disk / "data")) as store:
        ref = teach(store, "part")
        fill(disk, leave)
        before = used(disk)
        with pytest.raises(DiskFull):
            teach_much(store, "part")
        assert store.versions("part") == [ref.version]
        assert store.active() == {"part": ref.version}
        assert abs(used(disk) - before) <= 64 * 1024  # pages of folders
        assert len(store.bank("part").references()) == 3
        (disk / "filler").unlink()
    with closing(opened(disk / "data")) as store:
        assert store.versions("part") == [ref.version]


def test_room_is_asked_for_before_anything_is_written(disk: Path) -> None:
    with closing(opened(disk / "data")) as store:
        teach(store, "part")
        fill(disk, 7_000_000)
        before = used(disk)
        store.require_space("part", BankSpec(DIM, 4), 3, 1_000)
        with pytest.raises(DiskFull, match=r"a new version of 'part' needs about 1[0-9]\.\d MB on the disk, 7\.\d MB"):
            store.require_space("part", BankSpec(DIM, 4), 3, 3_000)
        assert used(disk) == before


def test_a_snapshot_that_does_not_fit_leaves_nothing(disk: Path, tmp_path: Path) -> None:
    with closing(opened(tmp_path / "data")) as store:
        teach_much(store, "part")
        for leave in (0, 50_000, 1_000_000):
            filler = fill(disk, leave)
            with pytest.raises(DiskFull):
                write_archive(disk / "part.patchbank", store.bank("part"))
            assert [file.name for file in disk.iterdir()] == [filler.name]
            filler.unlink()
        write_archive(disk / "part.patchbank", store.bank("part"))


def test_a_restore_that_does_not_fit_leaves_nothing(disk: Path, tmp_path: Path) -> None:
    with closing(opened(tmp_path / "data")) as store:
        teach_much(store, "part")
        write_archive(tmp_path / "file", store.bank("part"))
    filler = fill(disk, 2_000_000)
    with (
        Archive(tmp_path / "file") as archive,
        closing(opened(disk / "data")) as target,
        pytest.raises(DiskFull, match="nothing was changed"),
    ):
        put_class(archive, target)
    assert [file.name for file in disk.iterdir()] == [filler.name]


def test_versions_are_pruned_and_classes_removed_on_a_full_disk(disk: Path) -> None:
    with closing(opened(disk / "data")) as store:
        first, second = teach(store, "part"), teach(store, "part", 1)
        teach(store, "other")
        fill(disk)
        assert store.prune("part", 1) == [first.version]
        assert store.active()["part"] == second.version


def test_a_read_only_disk_serves_all_that_is_on_it(disk: Path) -> None:
    with closing(opened(disk / "data")) as store:
        ref = teach(store, "part")
    read_only(disk)
    with closing(opened(disk / "data")) as store:
        store.check(ref)
        assert store.bank("part").nearest(vectors(1), 1).distances.shape == (6, 1)
        assert len(store.bank("part").references()) == 3
