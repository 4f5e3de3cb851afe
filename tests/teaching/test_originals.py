"""Pictures of references that are kept: they stay as long as a version has them, or is about to."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.names import BankRef
from patchbank.errors import ClassBusy
from patchbank.settings import Settings
from patchbank.teaching.originals import Originals
from patchbank.teaching.teacher import Teacher
from tests.helpers.banks import SPEC, image_id, teach
from tests.helpers.pictures import folder_of


@pytest.fixture
def originals(settings: Settings) -> Originals:
    return Originals(settings.model_copy(update={"keep_originals": True}))


def _kept(settings: Settings) -> set[str]:
    return {file.stem for file in (settings.data_dir / "originals" / "part").glob("*")}


def test_what_is_kept_for_a_version_to_come_survives_a_sweep_that_is_at_work(
    settings: Settings, originals: Originals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder_of(tmp_path / "in", 1) / "good-000.png"
    store = EdgeStore(settings.data_dir)
    teach(store, "part", images=3)  # the images 0, 1 and 2
    for number in (1, 9):
        originals.keep("part", image_id(number), file)
    listed = store.versions

    def versions(class_name: str) -> list[str]:
        originals.keep(class_name, image_id(5), file)  # by another process, which teaches
        return listed(class_name)

    monkeypatch.setattr(store, "versions", versions)
    originals.sweep(store, "part")
    assert _kept(settings) == {image_id(1), image_id(5)}
    monkeypatch.undo()
    originals.sweep(store, "part")
    assert _kept(settings) == {image_id(1)}
    store.remove("part")
    originals.sweep(store, "part")
    assert not (settings.data_dir / "originals" / "part").exists()
    store.close()


def test_teaching_sweeps_while_nobody_else_can_keep_any(
    teacher: Teacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []

    def sweep(self: Originals, store: EdgeStore, class_name: str) -> None:
        serving = BankRef(class_name, store.active()[class_name])
        with pytest.raises(ClassBusy), store.draft(class_name, SPEC, serving):
            pass
        refused.append(serving.version)

    monkeypatch.setattr(Originals, "sweep", sweep)
    files = sorted(folder_of(tmp_path / "in", 2).iterdir())
    report = teacher.teach("part", files)
    assert refused == [report.manifest.version]


def test_pictures_are_kept_only_where_the_setting_says_so(teacher: Teacher, settings: Settings, tmp_path: Path) -> None:
    files = sorted(folder_of(tmp_path / "in", 2).iterdir())
    teacher.teach("part", files)
    assert _kept(settings) == set()
    keeping = Teacher(settings.model_copy(update={"keep_originals": True}), teacher.embedder, teacher.store)
    keeping.teach("part", files)
    held = set(keeping.store.bank("part").cls_vectors()[0])
    assert _kept(settings) == held
