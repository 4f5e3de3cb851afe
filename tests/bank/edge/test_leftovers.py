"""Whatever a killed process leaves, a start or the next change of any class removes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from patchbank.bank.edge.catalogue import Catalogue
from patchbank.bank.edge.store import EdgeStore
from patchbank.errors import ClassBusy, UnknownClass
from tests.helpers.banks import SPEC, fill, manifest, teach, vectors


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    with closing(EdgeStore(folder)) as store:
        teach(store, "kept", 0)
    return folder


@pytest.fixture
def store(data_dir: Path) -> Iterator[EdgeStore]:
    with closing(EdgeStore(data_dir)) as opened:
        yield opened


class Killed(BaseException):
    """The process ends here."""


def ends(*_: object, **__: object) -> None:
    raise Killed


def left(data_dir: Path) -> list[str]:
    """All that is not of the class that is kept."""
    return [path.name for path in (data_dir / "collections").iterdir() if "__kept__" not in path.name]


@pytest.mark.parametrize("where", ["_sweep", "_end_removal", "_drop"])
@pytest.mark.parametrize("then", ["start", "another class", "remove again"])
def test_a_removal_that_is_killed_anywhere_is_ended(
    data_dir: Path, store: EdgeStore, monkeypatch: pytest.MonkeyPatch, where: str, then: str
) -> None:
    teach(store, "part", 1)
    teach(store, "part", 2)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(store, where, ends)
        store.remove("part")
    with closing(EdgeStore(data_dir)) as fresh:
        assert fresh.versions("part") == []
        assert "part" not in fresh.active()
        if then == "start":
            fresh.sweep()
        elif then == "another class":
            teach(fresh, "kept", 3)
        else:
            fresh.remove("part")
        assert left(data_dir) == []
        assert fresh.pointers().removed == frozenset()
        with pytest.raises(UnknownClass):
            fresh.remove("part")


def work(store: EdgeStore, stop: Callable[[str], None]) -> None:
    with store.draft("part", SPEC) as draft:
        fill(draft, [vectors(5)], vectors(9, 1, 4))
        stop("filling")
        draft.seal()
        stop("sealed")
        draft.activate(manifest(draft, references=1, patches=6, dims=(8, 4)))


@pytest.mark.parametrize("where", ["filling", "sealed", "before the switch", "after the switch"])
def test_a_version_in_work_is_swept_and_one_that_serves_is_kept(
    data_dir: Path, store: EdgeStore, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def stop(at: str) -> None:
        if at == where:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("patchbank.bank.edge.draft.shutil.rmtree", lambda *_, **__: None)  # nobody tidies up
        patch.setattr(store, "_settle", lambda _: None)
        if where == "before the switch":
            patch.setattr(store, "_serve", ends)
        if where == "after the switch":
            patch.setattr(store, "_acknowledge", ends)
        with pytest.raises(Killed):
            work(store, stop)
    with closing(EdgeStore(data_dir)) as fresh:
        served = where == "after the switch"
        assert ("part" in fresh.active()) == served
        assert len(fresh.versions("part")) == served
        assert len(left(data_dir)) == 1
        fresh.sweep()
        assert len(left(data_dir)) == served
        assert not list(data_dir.glob("collections/*/pending"))
        if served:
            assert len(fresh.bank("part").references()) == 1


def test_a_class_that_somebody_is_at_work_on_is_left_alone(data_dir: Path, store: EdgeStore) -> None:
    with store.draft("part", SPEC) as draft:
        fill(draft, [vectors(5)], vectors(9, 1, 4))
        with closing(EdgeStore(data_dir)) as other:
            other.sweep()
            with pytest.raises(ClassBusy):
                other.draft("part", SPEC)
        draft.seal()
        draft.activate(manifest(draft, references=1, patches=6, dims=(8, 4)))
    assert "part" in store.active()


def test_a_change_that_fails_at_the_pointer_leaves_no_version(
    data_dir: Path, store: EdgeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Catalogue, "switch", ends)
        work(store, lambda _: None)
    assert left(data_dir) == []


def test_what_mending_left_is_swept(data_dir: Path, store: EdgeStore) -> None:
    (folder,) = (data_dir / "collections").iterdir()
    (folder / ".mending-x" / "exact").mkdir(parents=True)
    store.sweep()
    assert not (folder / ".mending-x").exists()


def test_a_version_that_waits_is_acknowledged(data_dir: Path, store: EdgeStore) -> None:
    with store.draft("kept", SPEC) as draft:
        fill(draft, [vectors(5)], vectors(9, 1, 4))
        draft.seal()
        draft.activate(manifest(draft, references=1, patches=6, dims=(8, 4)), serve=False)
    with closing(EdgeStore(data_dir)) as fresh:
        fresh.sweep()
        assert len(fresh.versions("kept")) == 2
