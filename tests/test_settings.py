"""Settings: documented, checked, frozen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from patchbank.errors import InvalidSettings
from patchbank.images import ImageLimits
from patchbank.settings import Settings, load_settings
from tests.helpers.places import ROOT

# At least one bad value of every setting that is a number.
BAD = [
    ("THREADS", "-1"),
    ("THREADS", "1025"),
    ("THREADS", "many"),
    ("THREADS", "1.5"),
    ("THREADS", ""),
    ("BATCH_SIZE", "-1"),
    ("BATCH_SIZE", "257"),
    ("SEARCH_WORKERS", "-1"),
    ("SEARCH_WORKERS", "65"),
    ("MAX_MEGAPIXELS", "0"),
    ("MAX_MEGAPIXELS", "178.1"),
    ("MAX_MEGAPIXELS", "nan"),
    ("MAX_UPLOAD_MB", "0"),
    ("MAX_UPLOAD_MB", "-3"),
    ("MAX_UPLOAD_MB", "nan"),
    ("MAX_BATCH", "0"),
    ("MAX_CONCURRENCY", "0"),
    ("MAX_QUEUE", "-1"),
    ("RETRIEVAL_NEIGHBOURS", "0"),
    ("RETRIEVAL_NEIGHBOURS", "101"),
    ("FROZEN_AFTER", "-1"),
    ("FROZEN_AFTER", "1"),
    ("FROZEN_AFTER", "257"),
    ("TARGET_FAR", "0"),
    ("TARGET_FAR", "1"),
    ("TARGET_FAR", "-0.1"),
    ("TARGET_FAR", "nan"),
    ("TARGET_FAR", "1%"),
    ("REVIEW_FAR", "0"),
    ("REVIEW_FAR", "1"),
    ("PIXEL_TARGET_FAR", "0"),
    ("PIXEL_TARGET_FAR", "1"),
    ("MAX_CALIBRATION_IMAGES", "1"),
    ("MAX_BANK_PATCHES", "0"),
    ("KEEP_VERSIONS", "0"),
    ("JOBS_AT_ONCE", "0"),
    ("MAX_JOBS", "0"),
    ("MAX_JOB_IMAGES", "0"),
    ("MAX_JOB_MB", "0"),
    ("HISTORY_ROWS", "0"),
    ("HISTORY_DAYS", "0"),
    ("HISTORY_MB", "-1"),
    ("QDRANT_GRPC_PORT", "0"),
    ("QDRANT_TIMEOUT_S", "0"),
    ("REQUEST_TIMEOUT_S", "0"),
    ("QDRANT_CACHE_MB", "-1"),
    ("QDRANT_SHARDS", "0"),
    ("QDRANT_REPLICAS", "0"),
    ("QDRANT_WRITE_CONSISTENCY", "0"),
    ("PORT", "-1"),
    ("PORT", "65536"),
    ("PORT", "http"),
    ("HISTORY_DAYS", "1e6"),
]


def test_every_setting_is_documented() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_every_setting_has_a_default() -> None:
    assert not [name for name, field in Settings.model_fields.items() if field.is_required()]
    assert load_settings() == Settings()


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_is_an_error_that_names_the_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"PATCHBANK_{name}", value)
    with pytest.raises(InvalidSettings, match=f"^PATCHBANK_{name}: "):
        load_settings()


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "host",
        "https://me:secret@host",
        "https://",
        "http://host/a b",
        "http://host\n",
        "//host/x",
    ],
)
def test_a_link_is_an_address_of_the_web(url: str) -> None:
    for name in ("grafana_url", "dashboard_url"):
        with pytest.raises(InvalidSettings, match=f"^PATCHBANK_{name.upper()}: "):
            load_settings(**{name: url})
    assert load_settings(grafana_url="http://[::1]:3000/d/x?orgId=1").grafana_url == "http://[::1]:3000/d/x?orgId=1"


def test_every_number_is_tried_with_a_bad_value() -> None:
    numbers = {name.upper() for name, field in Settings.model_fields.items() if field.annotation in (int, float)}
    assert numbers == {name for name, _ in BAD}


def test_a_bad_keyword_is_an_error_that_names_the_variable() -> None:
    with pytest.raises(InvalidSettings, match="PATCHBANK_MAX_BATCH"):
        load_settings(max_batch=0)


@pytest.mark.parametrize(
    ("text", "providers"),
    [
        ("cpu", ("cpu",)),
        ("cuda,cpu", ("cuda", "cpu")),
        (" tensorrt , cuda,\tcpu ", ("tensorrt", "cuda", "cpu")),
        ("cuda,,cpu,", ("cuda", "cpu")),
    ],
)
def test_providers_are_parsed_by_comma(text: str, providers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBANK_PROVIDERS", text)
    assert load_settings().providers == providers
    assert load_settings(providers=text).providers == providers
    assert load_settings(providers=providers).providers == providers


def test_the_environment_sets_and_a_keyword_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBANK_DATA_DIR", "/srv/banks")
    monkeypatch.setenv("PATCHBANK_PORT", "9000")
    monkeypatch.setenv("patchbank_target_far", "0.05")
    settings = load_settings(port=9001)
    assert (settings.data_dir, settings.port, settings.target_far) == (Path("/srv/banks"), 9001, 0.05)


def test_a_review_rate_below_the_reject_rate_is_an_error_unless_it_is_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATCHBANK_TARGET_FAR", "0.1")
    assert load_settings().at("elsewhere").review_far == 0.05
    monkeypatch.setenv("PATCHBANK_REVIEW_FAR", "0.05")
    with pytest.raises(InvalidSettings, match=r"^PATCHBANK_REVIEW_FAR: 0.05 is below PATCHBANK_TARGET_FAR, 0.1"):
        load_settings()


def test_a_variable_without_the_prefix_sets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("PATCHBANK_TARGET_RATE", "PATCHBANK_TARGET_RATE is no setting; is PATCHBANK_TARGET_FAR meant?"),
        ("patchbank_max_megapixel", "patchbank_max_megapixel is no setting; is PATCHBANK_MAX_MEGAPIXELS meant?"),
        ("PATCHBANK_QDRANT_APIKEY", "is PATCHBANK_QDRANT_API_KEY meant"),
        ("PATCHBANK_ZZZ", "the README lists all settings"),
        ("PATCHBANK_TEST", "no setting"),
    ],
)
def test_a_variable_that_is_no_setting_is_an_error_with_the_nearest_name(
    name: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "s3cret")
    with pytest.raises(InvalidSettings, match=words) as caught:
        load_settings()
    assert "s3cret" not in caught.value.message


def test_an_unknown_variable_in_a_dotenv_file_is_an_error_but_not_those_of_other_programs() -> None:
    Path(".env").write_text("OTHER=1\nGF_SECURITY_ADMIN_PASSWORD=x\nPATCHBANK_GPU_PROVIDERS=cuda\n")
    assert load_settings() == Settings()
    Path(".env").write_text("OTHER=1\nPATCHBANK_BACKBON=x\n")
    with pytest.raises(InvalidSettings, match=r"PATCHBANK_BACKBON \(in \.env\) is no setting; is PATCHBANK_BACKBONE"):
        load_settings()


def test_the_tests_and_the_stack_have_variables_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBANK_TEST_QDRANT_URL", "http://localhost:6333")
    monkeypatch.setenv("PATCHBANK_GPU_PROVIDERS", "cuda")
    assert load_settings() == Settings()
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for name in set(re.findall(r"\bPATCHBANK_[A-Z_]+", compose)):
        monkeypatch.setenv(name, "")
    with pytest.raises(InvalidSettings) as caught:  # empty numbers
        load_settings()
    assert "is no setting" not in caught.value.message


def test_a_dotenv_file_sets_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("PATCHBANK_PORT=9000\nPATCHBANK_THREADS=3\nOTHER=1\n")
    monkeypatch.setenv("PATCHBANK_THREADS", "4")
    settings = load_settings()
    assert (settings.port, settings.threads) == (9000, 4)


def test_a_bad_value_in_a_dotenv_file_names_the_variable() -> None:
    Path(".env").write_text("PATCHBANK_PORT=http\n")
    with pytest.raises(InvalidSettings, match="PATCHBANK_PORT"):
        load_settings()


def test_errors_do_not_repeat_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBANK_PORT", "s3cret")
    with pytest.raises(InvalidSettings) as caught:
        load_settings()
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_settings_are_frozen(name: str) -> None:
    settings = load_settings()
    with pytest.raises(ValidationError, match="frozen"):
        setattr(settings, name, getattr(settings, name))


def test_the_decoder_s_limits_are_the_settings() -> None:
    assert load_settings(max_megapixels=7.5, max_upload_mb=3).image_limits == ImageLimits(7.5, 3.0)


def test_the_decoder_s_own_limits_are_the_defaults() -> None:
    assert load_settings().image_limits == ImageLimits()


def test_an_unknown_log_level_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBANK_LOG_LEVEL", "loud")
    with pytest.raises(InvalidSettings, match="PATCHBANK_LOG_LEVEL"):
        load_settings()


def test_a_dotenv_file_that_is_not_text_is_an_error() -> None:
    Path(".env").write_bytes(b"PATCHBANK_HOST=\xff\xfe\n")
    with pytest.raises(InvalidSettings):
        load_settings()


@pytest.mark.parametrize("value", [None, "", "auto"])
def test_a_backbone_that_is_not_named_is_auto(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if value is None:
        monkeypatch.delenv("PATCHBANK_BACKBONE")
    else:
        monkeypatch.setenv("PATCHBANK_BACKBONE", value)
    assert load_settings().backbone == "auto"
