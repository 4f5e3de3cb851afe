"""Where settings come from, and which can be used where some are wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from patchbank.settings import Settings, load_settings, unknown_variables
from patchbank_indexer.settings_origin import effective_settings, usable_settings
from tests.helpers.command_line import indexer, indexer_json


def test_config_tells_each_setting_its_value_and_its_origin(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("PATCHBANK_MAX_QUEUE=3\nPATCHBANK_PORT=9000\nPATCHBANK_QDRANT_API_KEY=s3cret\n")
    monkeypatch.setenv("patchbank_port", "9001")
    monkeypatch.setenv("PATCHBANK_PROVIDERS", "cuda,cpu")
    document = indexer_json("config", data=data)
    told = {row["variable"]: (row["value"], row["origin"]) for row in document["settings"]}
    assert set(told) == {f"PATCHBANK_{name.upper()}" for name in Settings.model_fields}
    assert told["PATCHBANK_DATA_DIR"] == (str(data), "option")
    assert told["PATCHBANK_PORT"] == (9001, "environment")
    assert told["PATCHBANK_PROVIDERS"] == ("cuda,cpu", "environment")
    assert told["PATCHBANK_MAX_QUEUE"] == (3, ".env")
    assert told["PATCHBANK_MAX_BATCH"] == (64, "default")
    assert told["PATCHBANK_QDRANT_API_KEY"] == ("(hidden)", ".env")
    for words in (("config",), ("config", "--json")):
        result = indexer(*words, data=data)
        assert (result.exit_code, "s3cret" in result.output) == (0, False)


def test_a_secret_that_is_not_set_is_shown_as_empty() -> None:
    told = {setting.variable: setting.value for setting in effective_settings(load_settings(), {})}
    assert told["PATCHBANK_QDRANT_API_KEY"] == ""


def test_unknown_variables_are_named_with_the_nearest_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBANK_TRESHOLD_FAR", "1")
    Path(".env").write_text("PATCHBANK_DATADIR=x\nOTHER=1\nPATCHBANK_QQQQ=1\n")
    assert unknown_variables() == {
        "PATCHBANK_TRESHOLD_FAR": "PATCHBANK_TARGET_FAR",
        "PATCHBANK_DATADIR (in .env)": "PATCHBANK_DATA_DIR",
        "PATCHBANK_QQQQ (in .env)": None,
    }
    for words in (("config",), ("config", "--json")):
        result = indexer(*words, data=Path("data"))
        assert (result.exit_code, "PATCHBANK_MAX_BATCH" in result.stdout) == (1, True)
        assert "PATCHBANK_TARGET_FAR" in result.output


def test_config_shows_a_wrong_value_s_default_and_says_what_is_wrong(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHBANK_PORT", "http")
    result = indexer("config", "--json", data=data)
    document = json.loads(result.stdout)
    assert (result.exit_code, list(document["faults"])) == (1, ["PATCHBANK_PORT"])
    (port,) = [row for row in document["settings"] if row["variable"] == "PATCHBANK_PORT"]
    assert (port["value"], port["origin"]) == (8000, "default")


def test_wrong_settings_are_replaced_by_their_defaults_and_the_others_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PORT", "http"), ("MAX_BATCH", "0"), ("THREADS", "3")):
        monkeypatch.setenv(f"PATCHBANK_{name}", value)
    settings, faults = usable_settings(data_dir=Path("here"))
    assert (settings.port, settings.max_batch, settings.threads, settings.data_dir) == (8000, 64, 3, Path("here"))
    assert set(faults) == {"PATCHBANK_PORT", "PATCHBANK_MAX_BATCH"}
    Path(".env").write_bytes(b"PATCHBANK_HOST=\xff\xfe\n")
    settings, faults = usable_settings()
    assert (settings.threads, settings.host) == (3, "127.0.0.1")
    assert ".env" in faults
