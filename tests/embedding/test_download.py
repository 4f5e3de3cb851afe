"""The download against a server on this machine that answers as the Hugging Face hub does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import close_session, hf_hub_download

from patchbank.embedding.backbones import BACKBONES, Backbone, HubFile
from patchbank.embedding.download import place_model, pull_model, verify_model
from patchbank.embedding.model_files import check_pin, model_path, pulled_path
from patchbank.errors import DataDirNotWritable, ModelUnavailable
from tests.helpers.hub import BODY, REVISION, SHA256, Hub, serving_hub


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Look-ups of and connections to anywhere but this machine fail, and fail the test."""
    tried: list[object] = []
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1"):
            tried.append(address)
            raise OSError(f"tests do not reach {address}")
        connect(self, address)

    def resolved(host: Any, *rest: Any, **options: Any) -> Any:
        if host not in ("127.0.0.1", "::1", "localhost"):
            tried.append(host)
            raise OSError(f"tests do not look up {host}")
        return resolve(host, *rest, **options)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    # Its telemetry asks huggingface.co itself, whatever the endpoint.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", True)
    close_session()  # the shared client remembers the proxies it was made with
    yield tried
    close_session()
    assert not tried


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's pauses between its attempts take no time."""
    monkeypatch.setattr(time, "sleep", lambda _: None)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving_hub() as held:
        yield held


def _backbone(size: int | None = len(BODY), sha256: str | None = SHA256, name: str = "tiny") -> Backbone:
    source = HubFile("some-org/tiny", REVISION, "onnx/model.onnx", size, sha256)
    return replace(BACKBONES["dinov2-vits14"], name=name, source=source)


def _target(backbone: Backbone, data_dir: Path) -> Path:
    assert isinstance(backbone.source, HubFile)
    return pulled_path(backbone.name, backbone.source, data_dir)


def _onnx_files(data_dir: Path) -> list[Path]:
    return sorted(path for path in data_dir.rglob("*") if path.suffix == ".onnx")


def test_a_good_file_is_pulled_to_its_place(hub: Hub, tmp_path: Path) -> None:
    backbone = _backbone()
    path = pull_model(backbone, tmp_path, endpoint=hub.endpoint)
    assert path == _target(backbone, tmp_path) == model_path(backbone, tmp_path)
    assert path.read_bytes() == BODY
    assert _onnx_files(tmp_path) == [path]
    assert hub.asked[0] == f"HEAD /some-org/tiny/resolve/{REVISION}/onnx/model.onnx"


def test_a_file_that_comes_in_pieces_is_put_together(hub: Hub, tmp_path: Path) -> None:
    hub.piece = 997
    assert pull_model(_backbone(), tmp_path, endpoint=hub.endpoint).read_bytes() == BODY


def test_a_file_behind_a_redirect_is_pulled(hub: Hub, tmp_path: Path) -> None:
    hub.redirects = True
    assert pull_model(_backbone(), tmp_path, endpoint=hub.endpoint).read_bytes() == BODY
    assert any(line.startswith("GET /cdn/") for line in hub.asked)


def test_a_file_that_is_here_is_not_asked_for_again(hub: Hub, tmp_path: Path) -> None:
    first = pull_model(_backbone(), tmp_path, endpoint=hub.endpoint)
    hub.asked.clear()
    assert pull_model(_backbone(), tmp_path, endpoint=hub.endpoint) == first
    assert hub.asked == []


def test_a_hash_that_is_not_known_is_recorded_at_the_first_pull_and_checked_from_then_on(
    hub: Hub, tmp_path: Path
) -> None:
    backbone = _backbone(size=None, sha256=None)
    path = pull_model(backbone, tmp_path, endpoint=hub.endpoint)
    assert path.read_bytes() == BODY
    assert verify_model(backbone, tmp_path) == SHA256
    check_pin(backbone, SHA256, tmp_path)
    path.write_bytes(BODY[:-1] + b"?")
    with pytest.raises(ModelUnavailable, match=f"pinned for onnx/model.onnx is {SHA256}"):
        verify_model(backbone, tmp_path)
    path.unlink()
    hub.body = BODY[:-1] + b"?"
    with pytest.raises(ModelUnavailable, match=f"pinned for onnx/model.onnx is {SHA256}"):
        pull_model(backbone, tmp_path, endpoint=hub.endpoint)


def test_a_file_brought_by_hand_takes_the_place_of_a_pulled_one(tmp_path: Path) -> None:
    (tmp_path / "brought.onnx").write_bytes(BODY)
    backbone = _backbone()
    path = place_model(backbone, tmp_path / "brought.onnx", tmp_path / "data")
    assert path == model_path(backbone, tmp_path / "data")
    assert path.read_bytes() == BODY
    assert (tmp_path / "brought.onnx").exists()


@pytest.mark.parametrize(
    ("content", "said"), [(BODY + b"?", "bytes, pinned"), (BODY[:-1] + b"?", "SHA-256"), (None, "No such file")]
)
def test_a_wrong_file_brought_by_hand_is_refused_and_the_old_one_stays(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    backbone = _backbone()
    good = tmp_path / "good.onnx"
    good.write_bytes(BODY)
    path = place_model(backbone, good, tmp_path / "data")
    brought = tmp_path / "brought.onnx"
    if content is not None:
        brought.write_bytes(content)
    with pytest.raises(ModelUnavailable, match=said):
        place_model(backbone, brought, tmp_path / "data")
    assert path.read_bytes() == BODY
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_offline_takes_the_file_from_the_clients_cache_alone(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    backbone = _backbone()
    with pytest.raises(ModelUnavailable, match=r"cannot be pulled from the hub client's cache .* --from FILE"):
        pull_model(backbone, tmp_path / "data", offline=True)
    assert isinstance(backbone.source, HubFile)
    hf_hub_download(
        backbone.source.repository,
        backbone.source.path,
        revision=REVISION,
        endpoint=hub.endpoint,
        cache_dir=tmp_path / "cache",
    )
    hub.asked.clear()
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path / "cache"), raising=False)
    assert pull_model(backbone, tmp_path / "data", offline=True).read_bytes() == BODY
    assert hub.asked == []


def test_the_mirror_in_hf_endpoint_is_asked_and_a_wrong_file_from_it_refused(hub: Hub, tmp_path: Path) -> None:
    hub.redirects = True
    environment = {
        **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
        "HF_ENDPOINT": hub.endpoint,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(tmp_path / "hf"),
        "PATCHBANK_DATA_DIR": str(tmp_path / "data"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "patchbank_indexer.cli", "model", "pull", "dinov2-vits14-int8"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert f"has {len(BODY)} bytes, pinned for onnx/model_quantized.onnx are 24446700" in done.stderr
    assert any(line.startswith("GET /cdn/") for line in hub.asked)
    assert _onnx_files(tmp_path) == []


def test_a_file_with_another_hash_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.body = BODY[:-1] + b"?"
    with pytest.raises(ModelUnavailable, match=f"pinned for onnx/model.onnx is {SHA256}"):
        pull_model(_backbone(), tmp_path, endpoint=hub.endpoint)
    assert _onnx_files(tmp_path) == []


def test_a_file_of_another_size_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.body = BODY + b"more"
    with pytest.raises(ModelUnavailable, match=f"{len(BODY) + 4} bytes, pinned for onnx/model.onnx are {len(BODY)}"):
        pull_model(_backbone(sha256=None), tmp_path, endpoint=hub.endpoint)
    assert _onnx_files(tmp_path) == []


def test_after_a_wrong_file_the_right_one_can_be_pulled(hub: Hub, tmp_path: Path) -> None:
    hub.body = b"not the model"
    with pytest.raises(ModelUnavailable):
        pull_model(_backbone(), tmp_path, endpoint=hub.endpoint)
    hub.body = BODY
    assert pull_model(_backbone(), tmp_path, endpoint=hub.endpoint).read_bytes() == BODY


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_a_refusal_of_the_hub_says_how_to_bring_the_file_by_hand(hub: Hub, tmp_path: Path, status: int) -> None:
    hub.status = status
    backbone = _backbone()
    with pytest.raises(ModelUnavailable, match="by hand") as caught:
        pull_model(backbone, tmp_path, endpoint=hub.endpoint)
    assert "onnx/model.onnx of some-org/tiny" in caught.value.message
    assert "indexer model pull tiny --from FILE" in caught.value.message
    assert _onnx_files(tmp_path) == []


def test_a_download_that_breaks_off_is_taken_up_again(hub: Hub, tmp_path: Path) -> None:
    hub.breaks_after, hub.breaks = len(BODY) // 2, 1
    path = pull_model(_backbone(), tmp_path, endpoint=hub.endpoint)
    assert path.read_bytes() == BODY
    assert hub.downloads == 2


def test_a_hub_that_nobody_runs_is_an_error(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ModelUnavailable, match="cannot be pulled"):
            pull_model(_backbone(), tmp_path, endpoint=endpoint)
    assert _onnx_files(tmp_path) == []


def test_a_server_that_is_no_hub_is_an_error(hub: Hub, tmp_path: Path) -> None:
    hub.revision = None
    with pytest.raises(ModelUnavailable, match="cannot be pulled"):
        pull_model(_backbone(), tmp_path, endpoint=hub.endpoint)
    assert hub.downloads == 0
    assert _onnx_files(tmp_path) == []


def test_a_built_in_backbone_is_not_pulled(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="on this machine already"):
        pull_model(BACKBONES["efficientnet-lite2"], tmp_path)


def test_a_data_directory_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(DataDirNotWritable):
        pull_model(_backbone(), tmp_path / "data")


def test_a_download_that_keeps_breaking_off_leaves_nothing(hub: Hub, tmp_path: Path) -> None:
    hub.breaks_after = len(BODY) // 2
    with pytest.raises(ModelUnavailable, match="cannot be pulled"):
        pull_model(_backbone(), tmp_path, endpoint=hub.endpoint)
    assert _onnx_files(tmp_path) == []
    assert not list((tmp_path / "models").iterdir())


@pytest.mark.parametrize("endpoint", ["mirror.example", "ftp://127.0.0.1"])
def test_an_endpoint_that_is_no_address_is_an_error(tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(ModelUnavailable, match="cannot be pulled"):
        pull_model(_backbone(), tmp_path, endpoint=endpoint)


def test_a_hub_that_does_not_answer_is_given_up_when_patience_ends(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        begin = time.monotonic()
        with pytest.raises(ModelUnavailable, match="cannot be pulled"):
            pull_model(_backbone(), tmp_path, patience=0.3, endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - begin < 5.0
