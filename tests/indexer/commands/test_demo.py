"""``demo``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from patchbank.settings import load_settings
from patchbank_indexer.cli import app
from patchbank_indexer.demo.run import with_demo_backbone
from patchbank_indexer.output import Output


def test_the_demo_teaches_serves_detects_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATCHBANK_BACKBONE")
    out = tmp_path / "demo"
    words = [
        "demo",
        "--data-dir",
        str(out / "bank"),
        "--out",
        str(out),
        "--references",
        "10",
        "--held-out",
        "2",
        "--json",
    ]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["backbone"] == "efficientnet-lite2"
    assert "using the built-in backbone efficientnet-lite2; PATCHBANK_BACKBONE" in result.stderr
    assert "hub" not in result.stderr
    assert not (out / "bank" / "backbone.json").exists()
    assert [row["class"] for row in document["classes"]] == ["solar_mono", "solar_poly", "textile"]
    assert len(document["images"]) == 12
    for image in document["images"]:
        assert (image["overlay"] is None) == (image["status"] == "unknown_product")
        if image["overlay"]:
            assert Path(image["overlay"]).read_bytes().startswith(b"\x89PNG")
    assert (out / "overlays.png").is_file()
    assert list((out / "images").iterdir())


@pytest.mark.parametrize(("named", "option"), [("auto", None), (None, "auto"), ("efficientnet-lite2", None)])
def test_a_backbone_that_is_named_is_the_demo_s(
    named: str | None, option: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PATCHBANK_BACKBONE")
    if named is not None:
        monkeypatch.setenv("PATCHBANK_BACKBONE", named)
    told: list[str] = []
    out = Output(as_json=True)
    monkeypatch.setattr(out, "remark", told.append)
    settings = with_demo_backbone(load_settings(data_dir=tmp_path / "data"), out, option)
    assert settings.backbone == "efficientnet-lite2"
    assert told[-1] == "using the backbone efficientnet-lite2"
    assert any("asking the hub" in line for line in told) == ("auto" in (named, option))
