"""``PATCHBANK_BACKBONE=auto``: what is taken, that it is decided once, and that banks never get another backbone."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import cast

import pytest

from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.names import BankRef
from patchbank.bank.store import PatchStore
from patchbank.embedding import first_choice as first
from patchbank.embedding.backbones import BACKBONES, HubFile
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.first_choice import BUILT_IN, wanted
from patchbank.errors import InvalidParameters, InvalidSettings, ModelUnavailable, ProviderUnavailable, StoreUnavailable
from patchbank.judging.backbone_choice import choose, decide_anew, known_choice, settled, with_backbone
from patchbank.judging.choice_file import Choice
from patchbank.judging.inspector import Inspector
from patchbank.settings import Settings, load_settings
from patchbank.teaching.teacher import Teacher
from tests.helpers.graphs import write_grid, write_sequence
from tests.helpers.hub import REVISION, Hub, serving_hub
from tests.helpers.pictures import folder_of

DINO = "dinov2-vits14"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that has a small graph in the place of DINOv2, which is pinned by its hash."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("NO_PROXY", "*")
    with serving_hub() as held:
        offer(held, write_sequence(tmp_path / "tiny.onnx", stride=14, registers=0), monkeypatch)
        monkeypatch.setenv("HF_ENDPOINT", held.endpoint)
        yield held


def offer(hub: Hub, graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.body = graph.read_bytes()
    source = HubFile("some-org/tiny", REVISION, "onnx/model.onnx", len(hub.body), sha256(hub.body).hexdigest())
    monkeypatch.setitem(BACKBONES, DINO, replace(BACKBONES[DINO], source=source))


@pytest.fixture
def auto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The default settings, as a caller has them who names no backbone."""
    monkeypatch.delenv("PATCHBANK_BACKBONE")
    settings = load_settings(data_dir=tmp_path / "data")
    assert settings.backbone == "auto"
    return settings


@pytest.fixture
def store(auto: Settings) -> Iterator[PatchStore]:
    with closing(EdgeStore(auto.data_dir)) as opened:
        yield opened


class Away:
    """A store that cannot be reached."""

    place = "a server that is away"

    def pointers(self) -> None:
        raise StoreUnavailable("away")


AWAY = cast(PatchStore, Away())


def teach(settings: Settings, store: PatchStore, name: str, backbone: str, folder: Path) -> None:
    settings = settings.model_copy(update={"backbone": backbone})
    with Embedder.open(settings) as embedder:
        Teacher(settings, embedder, store).teach(name, sorted(folder_of(folder, 3).iterdir()))


def onnx_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.onnx"))


def test_dinov2_is_taken_where_the_hub_has_it_and_written_down(hub: Hub, auto: Settings, store: PatchStore) -> None:
    told: list[str] = []
    choice = choose(auto, store, told.append)
    assert (choice.backbone, choice.by) == (DINO, "hub")
    assert onnx_files(auto.data_dir)[0].read_bytes() == hub.body
    record = json.loads((auto.data_dir / "backbone.json").read_text())
    assert (record["backbone"], record["by"], record["decided_at"]) == (DINO, "hub", choice.decided_at)
    assert record["why"]
    assert DINO in told[0]
    assert DINO in told[-1]
    hub.asked.clear()
    assert choose(auto, store) == choice
    assert hub.asked == []
    with Inspector.open(auto) as inspector:
        assert inspector.embedder.backbone.name == inspector.settings.backbone == DINO
        assert inspector.choice == choice


@pytest.mark.parametrize(
    ("trouble", "said"),
    [("another file", "bytes, pinned"), ("half a file", "cannot be pulled"), ("refused", "cannot be pulled")],
)
def test_where_the_hub_s_file_is_not_the_one_the_built_in_backbone_is_taken(
    hub: Hub, auto: Settings, store: PatchStore, trouble: str, said: str
) -> None:
    if trouble == "another file":
        hub.body += b"?"
    elif trouble == "half a file":
        hub.breaks_after = len(hub.body) // 2
    else:
        hub.status = 404
    choice = choose(auto, store)
    assert (choice.backbone, choice.by) == (BUILT_IN, "built-in")
    assert said in choice.why
    assert onnx_files(auto.data_dir) == []


def test_a_file_whose_graph_cannot_be_used_is_not_taken(
    hub: Hub, auto: Settings, store: PatchStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(hub, write_grid(tmp_path / "other.onnx", stride=14), monkeypatch)
    choice = choose(auto, store)
    assert choice.backbone == BUILT_IN
    assert "has no output 'last_hidden_state'" in choice.why


def test_an_input_size_that_the_network_cannot_have_is_a_reason_and_one_that_is_none_an_error(
    hub: Hub, auto: Settings, store: PatchStore
) -> None:
    with pytest.raises(InvalidSettings, match="input size"):
        choose(auto.model_copy(update={"input_size": "large"}), store)
    assert hub.asked == []
    assert "multiples of 14" in choose(auto.model_copy(update={"input_size": "256x256"}), store).why


def test_a_missing_runtime_is_an_error_and_nothing_is_decided(
    hub: Hub, auto: Settings, store: PatchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ProviderUnavailable):
        choose(auto, store)
    assert hub.asked == []
    assert known_choice(auto, store) is None


def test_without_a_hub_it_takes_seconds_once_and_what_was_decided_stays(
    hub: Hub, auto: Settings, store: PatchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    begin = time.monotonic()
    first_time = choose(auto, store)
    assert time.monotonic() - begin < 10.0
    assert first_time.backbone == BUILT_IN
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    assert choose(auto, store) == first_time
    assert hub.asked == []


def test_a_hub_that_is_silent_is_given_up(
    auto: Settings, store: PatchStore, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first, "PATIENCE", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        begin = time.monotonic()
        assert choose(auto, store).backbone == BUILT_IN
        assert time.monotonic() - begin < 10.0


def test_a_hub_that_trickles_is_given_up_when_the_time_is_over(
    hub: Hub, auto: Settings, store: PatchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first, "LIMIT", 1.0)
    hub.piece, hub.pause = 1, 0.2
    begin = time.monotonic()
    choice = choose(auto, store)
    assert time.monotonic() - begin < 15.0
    assert "not here within 1 s" in choice.why
    assert onnx_files(auto.data_dir) == []


def test_offline_the_hub_is_not_asked(
    hub: Hub, auto: Settings, store: PatchStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    assert "the hub client's cache" in choose(auto, store).why
    assert hub.asked == []


@pytest.mark.parametrize(
    ("providers", "name"),
    [("cpu", DINO), ("openvino", DINO), ("cuda,cpu", "dinov2-vitb14"), ("tensorrt,cuda,cpu", "dinov2-vitb14")],
)
def test_a_gpu_gets_the_larger_network(providers: str, name: str) -> None:
    assert wanted(load_settings(providers=providers).providers) == name


def test_the_backbone_of_banks_is_taken_whatever_was_decided(
    hub: Hub, auto: Settings, store: PatchStore, tmp_path: Path
) -> None:
    assert choose(auto, store).backbone == DINO
    teach(auto, store, "part", BUILT_IN, tmp_path / "in")
    hub.asked.clear()
    choice = choose(auto, store)
    assert (choice.backbone, choice.by, hub.asked) == (BUILT_IN, "banks", [])
    assert choose(auto, AWAY).backbone == BUILT_IN, "known while the store is away"
    store.remove("part")
    assert choose(auto, store).backbone == BUILT_IN, "decided once"


def test_banks_that_disagree_are_told_and_what_was_decided_is_taken(
    hub: Hub, auto: Settings, store: PatchStore, tmp_path: Path
) -> None:
    assert choose(auto, store).backbone == DINO
    teach(auto, store, "one", BUILT_IN, tmp_path / "in")
    teach(auto, store, "two", DINO, tmp_path / "in2")
    told: list[str] = []
    assert choose(auto, store, told.append).backbone == DINO
    assert f"{DINO} and {BUILT_IN}" in told[0]
    assert "two" in told[0]
    (auto.data_dir / "backbone.json").unlink()
    assert choose(auto, store, told.append).backbone == BUILT_IN
    assert known_choice(auto, store, told.append) == choose(auto, store, told.append)


def test_a_damaged_bank_does_not_change_the_backbone_of_the_others(
    hub: Hub, auto: Settings, store: PatchStore, tmp_path: Path
) -> None:
    choose(auto, store)
    teach(auto, store, "one", DINO, tmp_path / "in")
    teach(auto, store, "two", DINO, tmp_path / "in2")
    (auto.data_dir / "backbone.json").unlink()
    for name in ("one", "two"):
        ref = BankRef(name, store.active()[name])
        (auto.data_dir / "collections" / ref.collection / "manifest.json").write_text("{")
        hub.asked.clear()
        with closing(EdgeStore(auto.data_dir)) as fresh:
            choice = choose(auto, fresh)
            assert choice.backbone == DINO, name
            assert hub.asked == []


def test_a_backbone_of_banks_that_is_not_here_is_an_error_and_no_other_takes_its_place(
    hub: Hub, auto: Settings, store: PatchStore, tmp_path: Path
) -> None:
    choose(auto, store)
    teach(auto, store, "part", DINO, tmp_path / "in")
    for file in onnx_files(auto.data_dir):
        file.unlink()
    with pytest.raises(ModelUnavailable, match=rf"model pull {DINO}.*PATCHBANK_BACKBONE is auto, which is {DINO}"):
        settled(auto, store)


def test_a_store_that_is_away_is_an_error_unless_something_was_decided(
    hub: Hub, auto: Settings, store: PatchStore
) -> None:
    with pytest.raises(StoreUnavailable, match="away"):
        choose(auto, AWAY)
    assert hub.asked == []
    choice = choose(auto, store)
    assert choose(auto, AWAY) == choice


def test_a_decision_for_one_store_does_not_count_for_another(hub: Hub, auto: Settings, store: PatchStore) -> None:
    choose(auto, store)
    elsewhere = auto.model_copy(update={"qdrant_url": "http://127.0.0.1:6333"})
    assert known_choice(elsewhere, store) is None


def test_those_who_decide_at_once_agree_and_the_file_is_pulled_once(hub: Hub, auto: Settings) -> None:
    def decide(_number: int) -> Choice:
        with closing(EdgeStore(auto.data_dir)) as own:
            return choose(auto, own)

    with ThreadPoolExecutor(4) as threads:
        choices = set(threads.map(decide, range(4)))
    assert {choice.backbone for choice in choices} == {DINO}
    assert len(choices) == 1
    assert hub.downloads == 1


def test_two_processes_that_decide_at_once_agree(hub: Hub, auto: Settings) -> None:
    command = [sys.executable, "-m", "patchbank_indexer.cli", "model", "pull", "auto", "--data-dir", str(auto.data_dir)]
    hub.status = 503
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0, 0], told
    assert all(BUILT_IN in out for out, _ in told)
    assert sum("asking the hub" in err for _, err in told) == 1


def test_where_nothing_can_be_written_the_built_in_backbone_is_taken_without_asking(
    hub: Hub, auto: Settings, store: PatchStore
) -> None:
    auto.data_dir.mkdir()
    (auto.data_dir / "locks").write_text("in the way")
    assert choose(auto, store).backbone == BUILT_IN
    assert hub.asked == []


def test_a_damaged_decision_is_an_error(auto: Settings, store: PatchStore) -> None:
    auto.data_dir.mkdir()
    (auto.data_dir / "backbone.json").write_text("{")
    with pytest.raises(StoreUnavailable, match=r"backbone\.json"):
        choose(auto, store)


def test_a_named_backbone_is_what_is_named(hub: Hub, settings: Settings, store: PatchStore) -> None:
    choice = choose(settings, store)
    assert (choice.backbone, choice.by) == (settings.backbone, "setting")
    assert with_backbone(settings, choice) is settings
    assert hub.asked == []
    assert not settings.data_dir.exists()


def test_it_is_decided_anew_only_where_no_bank_would_lose_its_backbone(
    hub: Hub, auto: Settings, store: PatchStore, tmp_path: Path
) -> None:
    hub.status = 503
    assert choose(auto, store).backbone == BUILT_IN
    hub.status = 200
    assert decide_anew(auto, store, None, print).backbone == DINO
    assert decide_anew(auto, store, BUILT_IN, print).by == "person"
    assert choose(auto, store).backbone == BUILT_IN
    with pytest.raises(ModelUnavailable):
        decide_anew(auto, store, "dinov2-vitl14", print)
    teach(auto, store, "one", DINO, tmp_path / "in")
    for name in (None, BUILT_IN):
        with pytest.raises(InvalidParameters, match=f"{DINO}: their backbone stays"):
            decide_anew(auto, store, name, print)
    teach(auto, store, "two", BUILT_IN, tmp_path / "in2")
    with pytest.raises(InvalidParameters, match="name the backbone to take"):
        decide_anew(auto, store, None, print)
    assert decide_anew(auto, store, DINO, print).backbone == DINO
    assert choose(auto, store, print).backbone == DINO
