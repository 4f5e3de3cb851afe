"""The short form of the attack, a few cases of each part with a fixed seed: ``make attack`` runs the long ones."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from tests.attack.__main__ import main
from tests.attack.budget import Budget
from tests.attack.parts import PARTS
from tests.attack.report import Report
from tests.attack.scene import Scene, prepared

SEED = int(os.environ.get("PATCHBANK_TEST_SEED", "16"))
SECONDS = 10.0
"""For each part; those that begin a service take some more."""

pytestmark = [
    pytest.mark.attack,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc, and kills and stops processes"),
]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with prepared() as made:
        yield made


@pytest.mark.parametrize("part", PARTS)
def test_the_short_form_finds_nothing(part: str, scene: Scene) -> None:
    report = Report(part, SEED)
    PARTS[part](scene, Budget(part, "short", SEED, SECONDS), report)
    assert not report.findings, "\n".join(f"{finding.what}\n    {finding.repeat}" for finding in report.findings)
    assert report.cases or report.notes


def test_every_probe_is_judged_soundly_and_spoilt_ones_are_rejected(scene: Scene) -> None:
    spoilt = {name: judged for name, judged in scene.sound.items() if "spoilt@" in name and not name.endswith("@-")}
    assert len(spoilt) == 2 * len(scene.classes)
    assert {judged.decision for judged in spoilt.values()} == {"reject"}
    assert {judged.status for judged in scene.sound.values()} == {"ok", "unknown_product"}


@pytest.mark.parametrize("words", [["no-such-part"], ["--case", "3"], ["faults", "files", "--case", "3"]])
def test_a_command_line_that_makes_no_sense_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err
