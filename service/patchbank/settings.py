"""Every setting, read once from ``PATCHBANK_...`` environment variables (or a ``.env`` file) and then frozen."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from patchbank.errors import InvalidSettings
from patchbank.images import ImageLimits
from patchbank.reason import message_of, reason_of
from patchbank.server_urls import ServerUrl, check_server_urls, server_urls
from patchbank.text import shown

AUTO: Final = "auto"
"""The backbone that is decided once for each bank store (``patchbank.judging.backbone_choice``)."""

REVIEW_FAR: Final = 0.05
"""Share of normal images that may be rejected or for review where nothing else is asked for."""

_ORIGIN: Final = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?")

_LINK: Final = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?([/?#][!-~]*)?")

_HOST: Final = re.compile(r"\*|[A-Za-z0-9._-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")

_LEAST_KEY: Final = 32
_KEY: Final = re.compile(rf"[!-~]{{{_LEAST_KEY},}}")


class Settings(BaseSettings):
    """All settings. Each field's description is its documentation, and a test holds the README's table to it."""

    model_config = SettingsConfigDict(
        env_prefix="PATCHBANK_", env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    data_dir: Path = Field(
        default=Path("patchbank-data"),
        description="Directory of the embedded bank store and of pulled models.",
    )
    qdrant_url: str = Field(
        default="",
        description="Qdrant server that stores the banks, `http(s)://host`, or all nodes of a cluster, with commas "
        "between (docs/scaling.md); empty: they are in the data directory.",
    )
    qdrant_grpc_port: int = Field(
        default=6334,
        ge=1,
        le=65535,
        description="The Qdrant server's gRPC port; of a node that differs: `http://host:6333?grpc_port=7334`.",
    )
    qdrant_api_key: SecretStr = Field(default=SecretStr(""), description="The Qdrant server's API key.")
    qdrant_ca_file: Path | None = Field(
        default=None, description="PEM file of the authority that signed the Qdrant server's certificate."
    )
    qdrant_timeout_s: float = Field(
        default=10.0, gt=0, le=600, description="Seconds after which a call to the Qdrant server fails."
    )
    qdrant_shards: int = Field(default=1, ge=1, le=1024, description="Shards of a new collection on the Qdrant server.")
    qdrant_replicas: int = Field(default=1, ge=1, le=64, description="Copies of each shard, on different Qdrant nodes.")
    qdrant_write_consistency: int = Field(
        default=1, ge=1, le=64, description="Copies that must have stored a write before it counts as done."
    )
    qdrant_on_disk: bool = Field(
        default=False, description="Keep full vectors on the Qdrant server's disk and only int8 ones in its memory."
    )
    qdrant_cache_mb: float = Field(
        default=500.0,
        ge=0,
        description="Megabytes (10^6 bytes) of the Qdrant server's patches that the service keeps in its memory and "
        "searches itself, of the classes that are searched often (docs/search.md); 0: none.",
    )
    backbone: str = Field(
        default=AUTO,
        description="Name of the backbone that embeds images; `auto`: that of the banks that are there; where there "
        "are none, DINOv2 if the model hub has it, else the built-in `efficientnet-lite2`, decided once.",
    )
    providers: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("cpu",),
        description="Execution providers in order of preference, separated by commas: `cpu` (OpenVINO or ONNX Runtime, "
        "docs/inference.md), `onnxruntime`, `openvino`, `cuda`, `tensorrt`.",
    )
    input_size: str = Field(
        default="",
        description="Input size of the backbone: `448` is a budget of 448 x 448 pixels in each image's own aspect "
        "ratio; `672x448` is width x height for every image; empty takes the backbone's own size.",
    )
    detail: Literal["", "fast", "standard", "fine"] = Field(
        default="",
        description="How finely the pictures of classes taught from now on are seen: `fast`, `standard` or `fine` "
        "(docs/scales.md); empty takes what suits the backbone.",
    )
    precision: Literal["fp32", "fp16", "bf16"] = Field(
        default="fp32",
        description="Arithmetic of an fp32 graph: `fp32`, or faster and less exact: `fp16` (TensorRT), `bf16` "
        "(TensorRT, OpenVINO).",
    )
    threads: int = Field(default=0, ge=0, le=1024, description="Threads per forward pass; 0 takes all cores.")
    batch_size: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Most images per forward pass, when indexing and of requests that wait for the device; 0 takes 1 "
        "on a CPU and 16 on a GPU.",
    )
    memory_arena: bool = Field(
        default=True,
        description="Keep the memory of a forward pass for the next one; off frees it, which costs time.",
    )
    engine_cache: Path | None = Field(
        default=None,
        description="Directory where TensorRT, and OpenVINO within ONNX Runtime, keep compiled engines, so that the "
        "next start is quick.",
    )
    search_workers: int = Field(
        default=2,
        ge=0,
        le=64,
        description="Processes that search the embedded store for the API; 0: the service's own process searches.",
    )
    max_megapixels: float = Field(
        default=50.0, gt=0, le=178.0, description="Largest image in megapixels, checked before it is decoded."
    )
    max_upload_mb: float = Field(default=64.0, gt=0, description="Largest image file in megabytes (10^6 bytes).")
    max_batch: int = Field(default=64, ge=1, description="Most images per `/detect/batch` request.")
    max_concurrency: int = Field(default=2, ge=1, description="Images judged at the same time.")
    max_queue: int = Field(default=32, ge=0, description="Requests that may wait; the next one is answered with 429.")
    request_timeout_s: float = Field(
        default=60.0,
        gt=0,
        le=3600,
        description="Seconds within which `/detect` answers, and `/detect/batch` judges each image; what takes longer "
        "is ended and answered with 503.",
    )
    retrieval_neighbours: int = Field(
        default=5, ge=1, le=100, description="Nearest CLS embeddings that vote on the product class."
    )
    frozen_after: int = Field(
        default=5,
        ge=0,
        le=256,
        description="The same picture, pixel for pixel, is a frozen frame from this time on among the last 256 that a "
        "process of the service, or `detect`, judges; 0: never.",
    )
    target_far: float = Field(
        default=0.01,
        gt=0,
        lt=1,
        description="Target false-alarm rate of calibration: share of normal images above the threshold.",
    )
    review_far: float = Field(
        default=REVIEW_FAR,
        gt=0,
        lt=1,
        description="Share of normal images that may be rejected or for review; never below `PATCHBANK_TARGET_FAR`.",
    )
    pixel_target_far: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="Share of normal images that may have any pixel of the map above the pixel threshold.",
    )
    max_calibration_images: int = Field(
        default=200, ge=2, description="Most reference images scored in leave-one-image-out calibration."
    )
    max_bank_patches: int = Field(
        default=200_000,
        ge=1,
        description="Bank size above which a coreset is taken even if none is asked for.",
    )
    keep_versions: int = Field(
        default=10, ge=1, description="Versions kept per class, the active one included; they share what is the same."
    )
    jobs_at_once: int = Field(default=1, ge=1, le=64, description="Jobs that run at the same time; the others wait.")
    keep_originals: bool = Field(
        default=False,
        description="Keep the pictures of references in the data directory, so that a bank can be rebuilt from them.",
    )
    max_jobs: int = Field(
        default=100, ge=1, le=10_000, description="Jobs that are kept; of those that have ended the oldest go."
    )
    max_job_images: int = Field(
        default=1_000, ge=1, le=100_000, description="Most image files that are sent for one job."
    )
    max_job_mb: float = Field(
        default=4_000.0, gt=0, description="Most megabytes (10^6 bytes) that are sent for one job."
    )
    history: bool = Field(
        default=True, description="Keep what was judged, so that it can be looked up, and people can say what it was."
    )
    history_url: SecretStr = Field(
        default=SecretStr(""),
        description="PostgreSQL database of the history and the API keys, `postgresql://user:password@host/database`; "
        "empty: a file in the data directory.",
    )
    history_rows: int = Field(
        default=100_000, ge=1, description="Detections that are kept; the oldest go, last those that people judged."
    )
    history_days: float = Field(
        default=90.0, gt=0, le=100_000, description="Days after which a detection goes that nobody judged."
    )
    history_mb: float = Field(
        default=2_000.0,
        ge=0,
        description="Megabytes (10^6 bytes) of pictures that are kept with the newest detections; 0: none are.",
    )
    auth: Literal["auto", "keys", "off"] = Field(
        default="auto",
        description="Whether requests need an API key (docs/keys.md): `auto`, where the service listens beyond "
        "loopback; `keys`, always; `off`, never.",
    )
    admin_key: SecretStr = Field(
        default=SecretStr(""),
        description="An API key of scope admin that is not in the database, for containers; at least 32 characters.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Sites whose pages may use the API in a browser, such as `https://line.example.com`, separated by "
        "commas; empty: none but its own.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Host names that the service answers to, separated by commas, without ports, or `*` for all; "
        "empty: all where keys are asked for, else those of loopback and the address that it listens on.",
    )
    grafana_url: str = Field(
        default="", description="Where people find Grafana, `http(s)://...`; the console links to it."
    )
    dashboard_url: str = Field(
        default="",
        description="Where people find the Qdrant server's dashboard, `http(s)://...`; the console links to it.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Level of the service's log: `debug`, `info`, `warning`, `error`."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Form of the service's log: `text`, or `json` for one JSON object per line."
    )
    host: str = Field(default="127.0.0.1", description="Address that `patchbank serve` listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port that `patchbank serve` listens on.")

    @field_validator("providers", "cors_origins", "allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("backbone", mode="before")
    @classmethod
    def _none_named(cls, value: object) -> object:
        return value or AUTO  # compose files pass an unset variable as an empty one

    @field_validator("frozen_after")
    @classmethod
    def _check_frozen_after(cls, value: int) -> int:
        if value == 1:
            raise ValueError("1 would make every picture a frozen one: give 0, or 2 and more")
        return value

    @field_validator("data_dir")
    @classmethod
    def _check_data_dir(cls, value: Path) -> Path:
        if value.exists() and not value.is_dir():
            raise ValueError(f"{shown(str(value))} is not a directory: name one, here or with --data-dir")
        return value

    @model_validator(mode="after")
    def _check_review_far(self) -> Settings:
        if "review_far" in self.model_fields_set and self.review_far < self.target_far:
            raise ValueError(
                f"{self.review_far:g} is below PATCHBANK_TARGET_FAR, {self.target_far:g}, and whatever is rejected "
                "would be for review too"
            )
        return self

    @field_validator("qdrant_url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        if value:
            check_server_urls(value)
        return value

    @field_validator("grafana_url", "dashboard_url")
    @classmethod
    def _check_link(cls, value: str) -> str:
        if value and not _LINK.fullmatch(value):
            raise ValueError(f"{shown(value)}: use http(s)://host, or with :port and a path; without a password")
        return value

    @field_validator("history_url")
    @classmethod
    def _check_history_url(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("use postgresql://user:password@host/database")
        return value

    @field_validator("admin_key")
    @classmethod
    def _check_admin_key(cls, value: SecretStr) -> SecretStr:
        key = value.get_secret_value()
        if key and not _KEY.fullmatch(key):
            raise ValueError(
                f"use at least {_LEAST_KEY} characters of ASCII without spaces, for example of openssl rand -hex 32"
            )
        return value

    @field_validator("cors_origins")
    @classmethod
    def _check_cors_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{shown(origin)}: name sites as browsers do, in small letters, http(s)://host or with :port, "
                    "without a path; * is refused, because any page that somebody opens could then use the API"
                )
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _check_allowed_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            if not _HOST.fullmatch(host):
                raise ValueError(f"{shown(host)}: name hosts without http:// and without a port, or * for all")
        return value

    @field_validator("qdrant_ca_file", "engine_cache", mode="before")
    @classmethod
    def _no_file(cls, value: object) -> object:
        return value or None  # compose files pass an unset variable as an empty one

    def at(self, place: str) -> Settings:
        """The same settings with another bank store: a server's URL, or a directory."""
        is_url = "://" in place
        changed = {"qdrant_url": place} if is_url else {"qdrant_url": "", "data_dir": Path(place)}
        return load_settings(**{**{name: getattr(self, name) for name in self.model_fields_set}, **changed})

    @property
    def qdrant_nodes(self) -> tuple[ServerUrl, ...]:
        """The nodes that ``qdrant_url`` names; none for the embedded store."""
        return server_urls(self.qdrant_url, self.qdrant_grpc_port) if self.qdrant_url else ()

    @property
    def qdrant_key_exposed(self) -> str:
        """The URL of a node that the API key is sent to over the network as plain text; empty where there is none."""
        if not self.qdrant_api_key.get_secret_value():
            return ""
        return next((node.url for node in self.qdrant_nodes if node.is_exposed), "")

    @property
    def image_limits(self) -> ImageLimits:
        """Limits of the image decoder."""
        return ImageLimits(self.max_megapixels, self.max_upload_mb)


_PREFIX: Final = "PATCHBANK_"

_OTHERS: Final = re.compile(r"PATCHBANK_(GPU_PROVIDERS|TEST_\w+)")
"""Variables that are no settings, but used by the compose file and the tests, which share a ``.env`` file with us."""


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment, overridden by keyword. Raises ``InvalidSettings``, which names the variable.

    A variable that begins with ``PATCHBANK_`` and is no setting is an error: a misspelt one would be passed over.
    """
    try:
        _refuse_unknown()
        return Settings(**overrides)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f".env cannot be read: {reason_of(error)}") from error
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "review_far"  # the only check of two settings
        raise InvalidSettings(f"PATCHBANK_{name.upper()}: {message_of(first['msg'])}") from error


def unknown_variables() -> dict[str, str | None]:
    """Variables that begin with ``PATCHBANK_`` and are no setting, with the place where it is ``.env``; each with the
    nearest setting's variable, None where none is near. Raises what reading ``.env`` raises."""
    known = [name.upper() for name in Settings.model_fields]
    places = {"": list(os.environ), " (in .env)": list(dotenv_values(".env", encoding="utf-8", interpolate=False))}
    unknown: dict[str, str | None] = {}
    for place, names in places.items():
        for name in names:
            upper = name.upper()
            if upper.startswith(_PREFIX) and upper.removeprefix(_PREFIX) not in known and not _OTHERS.fullmatch(upper):
                near = difflib.get_close_matches(upper.removeprefix(_PREFIX), known, n=1)
                unknown[name + place] = _PREFIX + near[0] if near else None
    return unknown


def _refuse_unknown() -> None:
    for name, near in unknown_variables().items():
        advice = f"is {near} meant?" if near else "the README lists all settings"
        raise InvalidSettings(f"{name} is no setting; {advice}")
