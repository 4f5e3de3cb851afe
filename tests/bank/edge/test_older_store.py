"""Stores of releases before there were checksums: they are read, checked as far as that goes, and told apart."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.names import BankRef
from patchbank.bank.transfer import put_class
from patchbank.errors import DamagedBank
from tests.helpers.banks import FINGERPRINT, SPEC, image_id, manifest, reference, teach, vectors
from tests.helpers.older_collection import write_older_collection


def made_older(data_dir: Path) -> None:
    """Write what such a release wrote: no digests, no checksums, one pointer file, references of first parts in the
    engine alone and those of later ones in one line."""
    for path in data_dir.glob("collections/*/manifest.json"):
        stored = json.loads(path.read_text())
        del stored["checksum"]
        for part in stored["parts"]:
            part.pop("digest")
            part["indexed"] = False
        path.write_text(json.dumps({**stored, "layout": 4}))
    for folder in data_dir.glob("collections/*"):
        listed = folder / "references.json"
        if listed.exists() and len(json.loads(listed.read_text())) > 1:
            write_older_collection(folder)
        elif listed.exists():
            listed.write_text(json.dumps(json.loads(listed.read_text())))
    pointer = json.loads((data_dir / "aliases.json").read_text())
    del pointer["checksum"]
    for route in pointer["routes"].values():
        del route["tables"]
    (data_dir / "aliases.json").write_text(json.dumps(pointer))
    (data_dir / "aliases.copy.json").unlink()


def extended(store: EdgeStore, ref: BankRef) -> BankRef:
    """One small reference more."""
    with store.draft("part", SPEC, ref) as draft:
        draft.add_reference(reference(9, 1, 6), vectors(70, 1, 4)[0])
        draft.add_patches([image_id(9)] * 6, np.stack([np.zeros(6, int), np.arange(6)], axis=1), vectors(90))
        draft.seal()
        written = manifest(draft, references=len(draft.cls_vectors()[0]), patches=draft.count_patches(), dims=(8, 4))
        return draft.activate(written).ref


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    with closing(EdgeStore(folder)) as store:
        extended(store, teach(store, "part", 0, images=20))
        teach(store, "other", 1)
    made_older(folder)
    return folder


def content(store: EdgeStore) -> dict[str, Any]:
    bank = store.bank("part")
    exact = bank.nearest(vectors(55, 10), 2, exact=True)
    return {
        "references": bank.references(),
        "facts": bank.reference_facts(),
        "one": bank.reference(image_id(3)),
        "cls": sorted(bank.cls_vectors()[0]),
        "distances": exact.distances.tolist(),
        "ids": exact.ids.tolist(),
        "patches": bank.image_patches(image_id(2)).tolist(),
        "hits": store.nearest_references(FINGERPRINT, vectors(7, 1, 4)[0], 9),
    }


def test_an_older_store_answers_as_before_and_is_called_older(data_dir: Path) -> None:
    with closing(EdgeStore(data_dir)) as store:
        held = content(store)
        assert {item.image_id for item in held["references"]} == {image_id(number) for number in range(20)}
        assert held["one"] == reference(3, 1, 6)
        assert {finding.state for finding in store.verify()} == {"older"}
        assert any("`indexer compact part`" in finding.message for finding in store.verify("part"))
    with closing(EdgeStore(data_dir, mapped=False)) as store:
        assert content(store) == held


def test_the_next_change_and_compaction_write_checksums(data_dir: Path) -> None:
    with closing(EdgeStore(data_dir, keep_versions=1)) as store:
        before = content(store)
        put_class(store.bank("part"), store, replaces=BankRef("part", store.active()["part"]), reason="compacted")
        assert content(store)["distances"] == pytest.approx(np.asarray(before["distances"]), abs=1e-6)
        assert {finding.state for finding in store.verify("part")} == {"sound"}
        assert "older" in {finding.state for finding in store.verify("other")}


@pytest.mark.parametrize("wrong", ["not a number", "too long", "too few"])
def test_what_can_be_checked_is(data_dir: Path, wrong: str) -> None:
    (path,) = data_dir.glob("collections/patchbank__other__*/exact/vectors.npy")
    held = np.load(path)
    if wrong == "too few":
        held = held[:-1]
    else:
        held[3] *= np.nan if wrong == "not a number" else 1.5
    np.save(path, held)
    with closing(EdgeStore(data_dir)) as store:
        with pytest.raises(DamagedBank):
            store.bank("other").nearest(vectors(101), 1)
        assert content(store)["references"], "the other class goes on"
