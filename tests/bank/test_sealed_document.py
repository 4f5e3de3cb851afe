"""Documents with checksums, and the values of manifests."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.manifest import Manifest, read_manifest, stored_manifest
from patchbank.bank.sealed_document import is_sealed, sealed, unsealed
from tests.helpers.banks import defect, teach, vectors


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    with closing(EdgeStore(tmp_path_factory.mktemp("data"))) as store:
        teach(store, "part", defects=(defect(1, vectors(3)),))
        return store.bank("part").manifest


def test_a_document_comes_back_and_any_change_is_told() -> None:
    content = {"a": [1.0, 0.1, None, True, {"b": "\u00fc\x1b"}], "c": 3}
    stored = json.loads(json.dumps(sealed(content)))
    assert (unsealed(stored), is_sealed(stored), is_sealed(content)) == (content, True, False)
    assert unsealed(content) == content, "older ones have no checksum"
    for other in ({**stored, "c": 4}, {**stored, "d": 1}, {"checksum": stored["checksum"]}, {**stored, "checksum": ""}):
        with pytest.raises(ValueError, match="checksum"):
            unsealed(other)


def test_whole_numbers_may_lose_their_point() -> None:
    stored = sealed({"scales": [1.0, 2.0], "count": 3})
    assert unsealed({**stored, "scales": [1, 2], "count": 3.0})["scales"] == [1, 2]


def test_no_flipped_bit_of_a_manifest_is_read_as_another(manifest: Manifest) -> None:
    raw = json.dumps(stored_manifest(manifest), indent=1).encode()
    for place in range(0, len(raw), 3):
        flipped = raw[:place] + bytes([raw[place] ^ 1 << place % 8]) + raw[place + 1 :]
        try:
            assert read_manifest(json.loads(flipped)) == manifest
        except (ValueError, KeyError):  # a ValidationError and a JSONDecodeError are ValueErrors
            continue


def floats(*values: float) -> str:
    return base64.b64encode(np.asarray(values, dtype="<f4").tobytes()).decode()


def calibration(**facts: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda stored: {"calibration": {**stored["calibration"], **facts}}


def retrieval(**facts: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda stored: {"retrieval": {**stored["retrieval"], **facts}}


def fixed(**facts: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda _: facts


SELF_TEST = {"picture": "p", "patches": floats(*[0.0] * 8), "cls": floats(1, 0, 0, 0), "runtime": {}}
FOREGROUND = {"axis": [1.0] + [0.0] * 7, "threshold": 0.0, "least": 0.1, "places": ["."]}


@pytest.mark.parametrize(
    "change",
    [
        calibration(threshold=-1.0),
        calibration(threshold=2.1),
        calibration(threshold=float("nan")),
        calibration(pixel_threshold=float("inf")),
        calibration(pixel_threshold=-0.1),
        calibration(scores=[0.1, float("nan")]),
        calibration(scores=[-0.1]),
        calibration(peaks=[float("inf"), 0.1]),
        calibration(target_far=1.5),
        calibration(review_far=-0.1),
        calibration(confidence=2.0),
        calibration(set_aside=-1),
        retrieval(similarity=-3.1),
        retrieval(similarity=float("nan")),
        retrieval(coherence=9.0),
        retrieval(count=-1),
        fixed(patch_dim=0),
        fixed(patch_dim=1 << 30),
        fixed(cls_dim=-4),
        fixed(patches=-1),
        fixed(references=1 << 60),
        fixed(version="../../elsewhere"),
        fixed(scales={"factors": [1.0, 1_000.0], "grid": 1.0}),
        fixed(scales={"factors": [1.0, float("inf")], "grid": 1.0}),
        fixed(parts=[{"version": "a/b", "references": 1, "patches": 1}]),
        fixed(
            parts=[
                {"version": "a", "references": 1, "patches": 1, "digest": {"patches": "0", "cls": "", "references": ""}}
            ]
        ),
        fixed(self_test={**SELF_TEST, "cls": floats(1, 0, 0)}),
        fixed(self_test={**SELF_TEST, "cls": floats(1, 0, 0, float("nan"))}),
        fixed(self_test={**SELF_TEST, "patches": floats(float("inf"), *[0.0] * 7)}),
        fixed(self_test={**SELF_TEST, "patches": "AAA="}),
        fixed(foreground={**FOREGROUND, "axis": [1.0, 0.0]}),
        fixed(foreground={**FOREGROUND, "axis": [2.0] + [0.0] * 7}),
        fixed(foreground={**FOREGROUND, "threshold": float("nan")}),
        fixed(subspace={"mean": floats(0, 0), "axes": floats(1, 0)}),
        fixed(coreset={"ratio": 7.0, "seen": 1, "radius": 0.1}),
        fixed(coreset={"ratio": 0.1, "seen": 1, "radius": -0.1}),
        fixed(scoring={"share": 0}),
        fixed(defects=[defect(1, vectors(3, 2, 4)).model_dump(mode="json")]),
        fixed(frames={"contrast": float("nan"), "sharpness": 1, "usual_contrast": 1, "usual_sharpness": 1, "count": 1}),
    ],
)
def test_a_manifest_with_a_value_that_cannot_be_is_refused(
    manifest: Manifest, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    stored = {**manifest.model_dump(mode="json"), "layout": 4}  # which had no checksum
    assert read_manifest({**stored, "self_test": SELF_TEST, "foreground": FOREGROUND})
    with pytest.raises(ValidationError):
        read_manifest({**stored, **change(stored)})


def test_a_checksum_is_written_by_the_store(tmp_path: Path) -> None:
    with closing(EdgeStore(tmp_path)) as store:
        ref = teach(store, "part")
    stored = json.loads((tmp_path / "collections" / ref.collection / "manifest.json").read_text())
    assert (stored["layout"], is_sealed(stored)) == (5, True)
    assert is_sealed(json.loads((tmp_path / "aliases.json").read_text()))
