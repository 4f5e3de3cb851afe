"""What the service says, in Spanish: a sentence for each code, and for each warning in the words that it has."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, get_args

import pytest

from patchbank.api.detect import _NOT_RECORDED
from patchbank.bank.frame_limits import FrameLimits
from patchbank.bank.manifest import Calibration
from patchbank.bank.resolution import Resolution
from patchbank.errors import all_errors
from patchbank.images.frame_facts import FrameFacts
from patchbank.images.white import TaughtRange
from patchbank.judging.frame import Frame
from patchbank.judging.notes import nothing_to_compare, second_opinion, took_no_part
from patchbank.scoring.class_retrieval import Retrieval
from patchbank.scoring.drift import _why_unknown
from patchbank.scoring.threshold import promise, promise_takes, shortfall
from patchbank.teaching.acceptance import _STAYS
from patchbank.teaching.builder import _ONE_PART
from patchbank.teaching.rebuilder import _HELD_OUT
from patchbank.teaching.set_aside import Oddity
from tests.helpers.places import ROOT

SPANISH = ROOT / "console" / "src" / "told" / "es"

OF_COMMANDS = {
    "cannot_tune",
    "damaged_snapshot",
    "data_dir_in_use",
    "export_failed",
    "file_exists",
    "invalid_settings",
    "key_name_taken",
    "no_keys",
    "snapshot_not_writable",
    "unknown_key",
}
"""Codes that nobody meets at the console."""


def words(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((SPANISH / f"{name}.json").read_text(encoding="utf-8"))
    return told


def test_each_code_of_an_error_has_a_sentence() -> None:
    rows = (ROOT / "docs" / "api.md").read_text().split("## Errors")[1].splitlines()
    listed = {code for row in rows if row.startswith("| ") for code in re.findall(r"`(\w+)`", row.split("|")[2])}
    assert {*words("errors")} == ({error.code for error in all_errors()} - OF_COMMANDS) | listed
    assert {*words("reasons")} == {*get_args(Oddity)}


def calibration(**given: Any) -> Calibration:
    facts = {"method": "leave-one-image-out", "target_far": 0.01, "threshold": 0.3, "reachable": False}
    return Calibration(**{**facts, "scores": (0.1, 0.2, 0.3), **given})


LIMITS = FrameLimits(contrast=9.0, sharpness=0.01, usual_contrast=40.0, usual_sharpness=0.1, count=9)
BLURRED, DARK = FrameFacts(90.0, 30.0, 0.001), FrameFacts(2.0, 0.5, 0.001)
FINE = Resolution(picture=(300, 300), inputs=(448, 448), grid=(32, 32))
COARSE = FINE.model_copy(update={"picture": (3000, 2000)})
RANGE = TaughtRange(white=4095, least=4000, class_name="solar")

SAID: dict[str, Sequence[str | None]] = {
    "too_few_calibration": [
        shortfall(calibration()),
        shortfall(calibration(set_aside=2)),
        shortfall(calibration(series=("a", "a", "b"), confidence=0.95)),
        f"solar: {shortfall(calibration())}",
    ],
    "promise": [promise(calibration()), promise(calibration(series=("a", "a", "b"), confidence=0.95, set_aside=1))],
    "promise_takes": [promise_takes(calibration()), promise_takes(calibration(series=("a", "a", "b")))],
    "coarser": [FINE.doubt(COARSE)],
    "looks_like_other": second_opinion("solar", Retrieval("cookie", 1.0, {}, 0.9)),
    "took_no_part": took_no_part({"solar": "it is damaged"}),
    "nothing_taught": [nothing_to_compare(0, "x")],
    "nothing_to_ask": [nothing_to_compare(3, "x")],
    "blurred": Frame(BLURRED, 0).report("solar", LIMITS).notes,
    "shows_nothing": [*Frame(DARK, 0).report("solar", LIMITS).notes, *Frame(DARK, 0).report(None, None).notes],
    "frozen": Frame(FrameFacts(90.0, 40.0, 0.1), 5).report("solar", LIMITS).notes,
    "range_of_class": RANGE.notes(4001),
    "too_dark": RANGE.notes(200)[1:],
    "not_recorded": [_NOT_RECORDED],
    "drift_few_calibration": [_why_unknown(3, 0)],
    "drift_few_recent": [_why_unknown(500, 7)],
    "one_part": [_ONE_PART.format(12)],
    "thresholds_stay": [_STAYS],
    "held_out": [_HELD_OUT],
}


@pytest.mark.parametrize("kind", SAID)
def test_a_warning_is_known_by_the_words_that_the_service_has(kind: str) -> None:
    assert SAID[kind]
    for text in SAID[kind]:
        assert text is not None
        found = {
            name: match for name, (pattern, _) in words("notices").items() if (match := re.fullmatch(pattern, text))
        }
        assert [*found] == [kind], text
        places = re.findall(r"\{(\d)\}", words("notices")[kind][1])
        assert all(found[kind][int(place)] for place in places)


def test_the_words_of_the_other_warnings_are_in_the_sources() -> None:
    files = (path for path in (ROOT / "service" / "patchbank").rglob("*.py"))
    sources = re.sub(r'"\s*\n\s*f?"', "", "\n".join(path.read_text(encoding="utf-8") for path in files))
    for kind, (pattern, _) in words("notices").items():
        if kind not in SAID:
            longest = max(re.split(r"[\\()\[\]?.*+{}|]|d\+", pattern), key=len)
            assert len(longest) >= 9, kind
            assert longest in sources, (kind, longest)


def test_what_is_not_the_sentence_of_a_warning_is_left_as_it_is() -> None:
    patterns = [pattern for pattern, _ in words("notices").values()]
    assert not any(re.fullmatch(pattern, "something new that nobody translated") for pattern in patterns)
