"""Jobs that a service orders by itself, for whatever changed a class."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from patchbank.api.upkeep import Upkeep
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.manifest import Calibration
from patchbank.bank.names import BankRef
from patchbank.jobs.board import JobBoard
from patchbank.settings import load_settings
from tests.helpers.banks import SPEC, image_id, manifest, reference, teach, vectors


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EdgeStore]:
    with closing(EdgeStore(tmp_path / "data", keep_versions=30)) as opened:
        yield opened


@pytest.fixture
def board(tmp_path: Path, store: EdgeStore) -> JobBoard:
    return JobBoard(load_settings(data_dir=tmp_path / "data"), lambda name: store.active().get(name))


def changed(store: EdgeStore, stale: Sequence[str] = (), method: str = "leave-one-image-out") -> BankRef:
    base = store.bank("part").manifest.ref
    with store.draft("part", SPEC, base) as draft:
        number = np.random.default_rng().integers(1_000, 1_000_000)
        draft.add_reference(reference(int(number), 1, 6), vectors(int(number), 1, 4)[0])
        cells = np.stack([np.zeros(6, int), np.arange(6)], axis=1)
        draft.add_patches([image_id(int(number))] * 6, cells, vectors(int(number)))
        draft.seal()
        calibration = Calibration(
            method=method,  # type: ignore[arg-type]
            target_far=0.2,
            threshold=0.1,
            reachable=True,
            scores=(0.1,),
            images=("a",),
            stale=tuple(stale),
        )
        held, patches = len(draft.cls_vectors()[0]), draft.count_patches()
        made = manifest(draft, references=held, patches=patches, dims=(8, 4), calibration=calibration)
        return draft.activate(made).ref


def orders(board: JobBoard) -> list[tuple[str, str]]:
    return [(job.kind, job.state) for job in board.jobs()]


def test_stale_scores_are_ordered_to_be_made_again_once_a_version(store: EdgeStore, board: JobBoard) -> None:
    teach(store, "part")
    upkeep = Upkeep(store, board)
    upkeep.look()
    assert orders(board) == []
    changed(store, stale=["a"])
    upkeep.look()
    assert orders(board) == [("calibrate", "queued")]
    job = upkeep.look_at("part")
    assert job == board.jobs()[0].id, "the one that waits is named"
    board.cancel(job)
    upkeep.look()
    assert orders(board) == [("calibrate", "cancelled")], "it is not tried again before the class changes"
    changed(store, stale=["a"])
    upkeep.look()
    assert orders(board) == [("calibrate", "queued"), ("calibrate", "cancelled")]
    changed(store, stale=["a"])
    upkeep.look()
    board.cancel(board.jobs()[0].id)
    upkeep.look()
    assert len(board.jobs()) == 3, "what a job was in the way of is looked at again"


def test_scores_of_held_out_images_are_left_alone(store: EdgeStore, board: JobBoard) -> None:
    teach(store, "part")
    changed(store, stale=["a"], method="held-out")
    assert Upkeep(store, board).look_at("part") is None
    assert orders(board) == []


def test_a_damaged_class_is_told_once_and_harms_no_other(
    store: EdgeStore, board: JobBoard, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    teach(store, "other", 5)
    ref = teach(store, "part")
    changed(store, stale=["a"])
    (
        tmp_path / "data" / "collections" / BankRef("other", store.active()["other"]).collection / "manifest.json"
    ).write_text("{")
    with closing(EdgeStore(tmp_path / "data")) as fresh, caplog.at_level(logging.WARNING, "patchbank"):
        upkeep = Upkeep(fresh, board)
        for _ in range(3):
            upkeep.look()
    assert [kind for kind, _ in orders(board)] == ["calibrate"]
    assert sum("upkeep of other" in record.message for record in caplog.records) == 1
    assert ref.class_name == "part"
    assert Upkeep(store, board).look_at("nothing") is None
