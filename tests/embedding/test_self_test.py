"""A changed runtime or model is noticed before it gives verdicts."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from benchmarks.altered_weights import to_bf16, to_int8
from patchbank.bank.archive import Archive, write_archive
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.manifest import Manifest, SelfTest
from patchbank.bank.pour import pour
from patchbank.bank.store import BankSpec, PatchStore
from patchbank.bank.transfer import put_class
from patchbank.embedding import embedder as embedding
from patchbank.embedding import providers
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.input_size import Area, Sides
from patchbank.embedding.preprocess import Geometry, to_input
from patchbank.embedding.providers import Runtime
from patchbank.embedding.self_test import TOLERANCE, Response, self_test_picture
from patchbank.embedding.session import OnnxSession
from patchbank.errors import BackboneMismatch
from patchbank.judging.compatibility import Compatibility, CompatibilityChecks, compare
from patchbank.judging.inspector import Inspector
from patchbank.settings import Settings, load_settings
from patchbank.teaching.rates import Rates
from patchbank.teaching.recalibrator import Recalibrator
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.cli import app
from patchbank_indexer.demo.products import Product
from tests.helpers.banks import unit
from tests.helpers.graphs import GRID, SEQUENCE, write_grid, write_sequence
from tests.helpers.http_service import serving
from tests.helpers.runtimes import BACKBONE, by_one_percent, running, with_weights
from tests.helpers.stores import ServerKind, store_kind

SMALL = BACKBONE.resized(Area(112))


@pytest.fixture(scope="module")
def runs() -> Iterator[Embedder]:
    """The built-in backbone on small inputs."""
    with running(backbone=SMALL) as made:
        yield made


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedder]:
    """The same as a runtime in bfloat16 would run it, though it says nothing of that."""
    with with_weights(to_bf16, tmp_path_factory.mktemp("model") / "bf16.onnx", SMALL) as made:
        yield made


@pytest.fixture(params=["edge", "wire"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PatchStore]:
    with store_kind(request.param, tmp_path / "banks") as kind:
        if isinstance(kind, ServerKind):
            kind.index_from = 1_000_000  # local mode never indexes
        yield kind.open()


def test_the_picture_is_the_same_to_the_last_bit_everywhere() -> None:
    shown = self_test_picture()
    assert (shown.size, shown.image_id) == ((640, 480), "d6229493e20de862de045f29")
    assert shown.pixels.std(axis=(0, 1)).min() > 30, "it has contrast in every colour"


def test_one_runtime_gives_one_answer_and_a_bank_keeps_it_unchanged(embedder: Embedder) -> None:
    first = embedder.self_test()
    with running() as again:
        assert first.shift(again.self_test()) <= 1e-5
    record = SelfTest(**first.as_facts())
    back = Response.from_facts(SelfTest.model_validate_json(record.model_dump_json()).model_dump(), 240)
    assert first.shift(back) == 0
    assert back.picture == first.picture
    assert back.runtime["onnxruntime"]
    assert len(record.model_dump_json()) < 12_000


@pytest.mark.parametrize("runtime", [Runtime(threads=1), Runtime(threads=2), Runtime(memory_arena=False)])
def test_threads_and_memory_do_not_matter(embedder: Embedder, runtime: Runtime) -> None:
    with running(runtime) as other:
        assert embedder.self_test().shift(other.self_test()) < TOLERANCE / 10


def test_graph_optimisation_does_not_matter(embedder: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = providers.session_options

    def unoptimised(runtime: Runtime) -> Any:
        options = plain(runtime)
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        return options

    monkeypatch.setattr("patchbank.embedding.onnxruntime_engine.session_options", unoptimised)
    with running() as other:
        assert embedder.self_test().shift(other.self_test()) < TOLERANCE / 10


@pytest.mark.parametrize("change", [to_bf16, to_int8, by_one_percent])
def test_other_arithmetic_or_weights_are_noticed(
    embedder: Embedder, change: Callable[[Any], Any], tmp_path: Path
) -> None:
    with with_weights(change, tmp_path / "changed.onnx") as other:
        assert other.fingerprint == embedder.fingerprint, "nothing else tells"
        assert embedder.self_test().shift(other.self_test()) > 10 * TOLERANCE


def test_another_resize_is_noticed(embedder: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    def nearest(pixels: Any, geometry: Geometry, backbone: Any) -> Any:
        wide, high = geometry.inputs
        rows = np.arange(high) * pixels.shape[0] // high
        columns = np.arange(wide) * pixels.shape[1] // wide
        return to_input(np.ascontiguousarray(pixels[rows][:, columns]), geometry, backbone)

    monkeypatch.setattr(embedding, "to_input", nearest)
    with running() as other:
        assert embedder.self_test().shift(other.self_test()) > 10 * TOLERANCE


@given(seed=st.integers(0, 10_000), by=st.floats(1e-6, 1.0))
def test_no_score_moves_by_more_than_the_embedding(seed: int, by: float) -> None:
    draw = np.random.default_rng(seed)
    before, bank = unit(draw.normal(size=(1, 16))), unit(draw.normal(size=(50, 16)))
    after = unit(before + by * draw.normal(size=(1, 16)))
    shift = Response("", before, before[0], {}).shift(Response("", after, after[0], {}))
    distances = [1 - one.astype(np.float64) @ bank.astype(np.float64).T for one in (before, after)]
    assert np.abs(distances[0] - distances[1]).max() <= shift + 1e-7
    assert abs(distances[0].min() - distances[1].min()) <= shift + 1e-7


@pytest.mark.parametrize("kind", ["grid", "sequence", "one size", "one batch"])
def test_every_sort_of_graph_can_be_tried(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    one_size = replace(GRID, size=Sides(64, 64))
    if kind == "sequence":
        write_sequence(path)
    else:
        write_grid(path, fixed=None if kind == "grid" else 64, batch=3 if kind == "one batch" else None)
    backbone = {"grid": GRID, "sequence": SEQUENCE}.get(kind, one_size)
    with Embedder(backbone, OnnxSession(path)) as tried, Embedder(backbone, OnnxSession(path)) as again:
        assert tried.self_test().shift(again.self_test()) == 0
        assert len(tried.self_test().patches) == 5


def teach(store: PatchStore, runs: Embedder, product: Product, name: str = "textile") -> Manifest:
    settings = load_settings()
    return Teacher(settings, runs, store).teach(name, product.references[:3]).manifest


def test_a_bank_is_refused_by_a_changed_runtime_and_by_it_alone(
    store: PatchStore, runs: Embedder, changed: Embedder, products: dict[str, Product]
) -> None:
    product = products["textile"]
    teach(store, runs, product)
    shown = product.good[0]
    assert Inspector(load_settings(), runs, store).inspect(shown, "textile").verdict is not None
    refusing = Inspector(load_settings(), changed, store)
    for name in ("textile", None):
        with pytest.raises(BackboneMismatch, match=r"refused.*0\.0003 is allowed.*teach the class again") as told:
            refusing.inspect(shown, name)
        assert told.value.detail["self_test_shift"] > TOLERANCE
        assert told.value.detail["bank"]["onnxruntime"] == told.value.detail["service"]["onnxruntime"]
    teach(store, changed, product)
    assert refusing.inspect(shown, "textile").verdict is not None, "taught again with what runs"


def test_other_classes_are_judged_and_never_take_a_refused_one_s_images(
    store: PatchStore, runs: Embedder, changed: Embedder, products: dict[str, Product]
) -> None:
    teach(store, runs, products["textile"])
    teach(store, changed, products["solar_mono"], "solar")
    inspector = Inspector(load_settings(), changed, store)
    verdict = inspector.inspect(products["solar_mono"].references[0]).verdict
    assert verdict is not None
    assert verdict.class_name == "solar"
    named = inspector.inspect(products["textile"].references[0], "solar")
    assert named.verdict is not None
    with pytest.raises(BackboneMismatch, match="'textile' is refused"):
        inspector.inspect(products["textile"].references[0])


def test_nothing_is_added_to_a_bank_or_calibrated_with_a_changed_runtime(
    store: PatchStore, runs: Embedder, changed: Embedder, products: dict[str, Product]
) -> None:
    product = products["textile"]
    before = teach(store, runs, product)
    with pytest.raises(BackboneMismatch, match="refused"):
        Teacher(load_settings(), changed, store).teach("textile", product.references[3:5], extend=True)
    recalibrator = Recalibrator(load_settings(), store)
    with pytest.raises(BackboneMismatch, match="refused"):
        recalibrator.from_images("textile", product.good, changed, Rates())
    assert store.versions("textile") == [before.version]
    assert store.bank("textile").manifest == before


def test_the_record_goes_with_the_bank_wherever_it_goes(
    store: PatchStore, runs: Embedder, changed: Embedder, products: dict[str, Product], tmp_path: Path
) -> None:
    product = products["textile"]
    first = teach(store, runs, product)
    assert first.self_test is not None
    extended = Teacher(load_settings(), runs, store).teach("textile", product.references[3:5], extend=True).manifest
    recalibrated = Recalibrator(load_settings(), store).from_known_scores("textile", Rates(0.1)).manifest
    copied = put_class(store.bank("textile"), store, "twin")
    write_archive(tmp_path / "textile.tar", store.bank("textile"))
    with Archive(tmp_path / "textile.tar") as archive:
        restored = put_class(archive, store, "restored")
    for manifest in (extended, recalibrated, copied, restored):
        assert manifest.self_test == first.self_test
        assert store.bank(manifest.class_name).manifest.self_test == first.self_test
        assert compare(manifest, changed).outcome == "failed"


def test_a_bank_without_a_record_serves_and_an_extended_one_stays_without(
    store: PatchStore, runs: Embedder, products: dict[str, Product]
) -> None:
    product = products["textile"]
    manifest = teach(store, runs, product)
    with store.draft("old", BankSpec(manifest.patch_dim, manifest.cls_dim)) as draft:
        pour(store.bank("textile"), draft)
        draft.seal()
        facts = {"class_name": "old", "version": draft.ref.version, "self_test": None}
        draft.activate(manifest.model_copy(update=facts))
    assert CompatibilityChecks(runs).look(store.bank("old").manifest).outcome == "not recorded"
    assert Inspector(load_settings(), runs, store).inspect(product.good[0], "old").verdict is not None
    extended = Teacher(load_settings(), runs, store).teach("old", product.references[3:5], extend=True)
    assert extended.manifest.self_test is None, "its first patches were made by nobody knows what"


def test_a_record_that_cannot_be_compared_is_a_mismatch_and_one_of_another_picture_is_none(
    store: PatchStore, runs: Embedder, products: dict[str, Product]
) -> None:
    manifest = teach(store, runs, products["textile"])
    record = manifest.self_test
    assert record is not None
    for wrong, outcome in (
        ({"cls": record.patches}, "failed"),
        ({"patches": "AAA="}, "failed"),
        ({"picture": "of a later release"}, "not recorded"),
    ):
        other = manifest.model_copy(update={"self_test": record.model_copy(update=wrong)})
        assert compare(other, runs).outcome == outcome
    with pytest.raises(ValueError, match="patches"):
        SelfTest(**{**record.model_dump(), "patches": "no base64!"})


def test_a_version_is_looked_at_once(
    store: PatchStore, runs: Embedder, products: dict[str, Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    product = products["textile"]
    teach(store, runs, product)
    looked: list[str] = []

    def counted(manifest: Manifest, asked: Embedder) -> Compatibility:
        looked.append(manifest.version)
        return compare(manifest, asked)

    monkeypatch.setattr("patchbank.judging.compatibility.compare", counted)
    inspector = Inspector(load_settings(), runs, store)
    for _ in range(3):
        inspector.inspect(product.good[0])
    assert len(looked) == 1
    newer = teach(store, runs, product)
    inspector.inspect(product.good[0])
    assert looked[1:] == [newer.version]


@pytest.fixture
def refused(settings: Settings, changed: Embedder, products: dict[str, Product]) -> Settings:
    """A data directory whose only class was taught by the changed runtime."""
    store = EdgeStore(settings.data_dir)
    teach(store, changed, products["textile"])
    store.close()
    return settings.model_copy(update={"search_workers": 0, "input_size": "112"})


def test_the_service_tells_of_refused_banks_and_is_not_ready_with_no_other(
    refused: Settings, runs: Embedder, products: dict[str, Product], caplog: pytest.LogCaptureFixture
) -> None:
    shown = products["textile"].good[0].read_bytes()
    with caplog.at_level(logging.ERROR, "patchbank"), serving(refused) as client:
        ready = client.get("/health/ready")
        assert (ready.status_code, ready.json()["error"]["code"]) == (503, "model_unavailable")
        assert "no class can be judged" in ready.json()["error"]["message"]
        health = client.get("/health").json()
        assert (health["status"], list(health["refused"])) == ("degraded", ["textile"])
        (listed,) = client.get("/classes").json()["classes"]
        assert (listed["usable"], listed["self_test"]) == (False, "failed")
        assert listed["refusal"] == health["refused"]["textile"]
        for form in ({}, {"class_name": "textile"}):
            answer = client.post("/detect", files={"file": shown}, data=form)
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "backbone_mismatch")
        (row,) = client.post("/detect/batch", files=[("files", shown)]).json()["results"]
        assert (row["status"], row["error"]["code"]) == ("error", "backbone_mismatch")
        assert 'patchbank_bank_usable{class_name="textile"} 0.0' in client.get("/metrics").text
    assert [record.message for record in caplog.records if record.message == listed["refusal"]], "told at start"
    store = EdgeStore(refused.data_dir)
    teach(store, runs, products["solar_mono"], "solar")
    store.close()
    with serving(refused) as client:
        ready = client.get("/health/ready").json()
        assert (ready["status"], ready["refused"], ready["damaged"]) == ("degraded", ["textile"], [])
        answer = client.post("/detect", files={"file": products["solar_mono"].references[0].read_bytes()}).json()
        assert (answer["class_name"], answer["is_anomalous"]) == ("solar", False)


def indexer(*words: str | Path, data: Path) -> Any:
    settings = {"PATCHBANK_INPUT_SIZE": "112"}
    return CliRunner().invoke(app, [*map(str, words), "--data-dir", str(data)], env=settings)


def test_the_command_line_tells_of_refused_banks(refused: Settings, products: dict[str, Product]) -> None:
    data, shown = refused.data_dir, products["textile"].good[0]
    listed = indexer("list", "--json", data=data)
    (row,) = json.loads(listed.stdout)["classes"]
    assert (row["usable"], row["self_test"]) == (False, "failed")
    assert row["refusal"] in listed.stderr
    told = indexer("show", "textile", data=data).stdout
    assert "failed, embeddings moved by" in told
    assert "onnxruntime" in told
    found = indexer("detect", shown, "--class-name", "textile", data=data)
    assert (found.exit_code, "[backbone_mismatch]" in found.stderr) == (1, True)


def test_banks_are_listed_where_the_backbone_is_not_here(refused: Settings) -> None:
    found = indexer("list", "--json", "--backbone", "dinov2-vitb14", data=refused.data_dir)
    (row,) = json.loads(found.stdout)["classes"]
    assert (found.exit_code, row["usable"], row["self_test"]) == (0, None, "not checked")
    assert "indexer model pull" in found.stderr


def test_a_bank_that_passes_is_shown_as_such(settings: Settings, runs: Embedder, products: dict[str, Product]) -> None:
    store = EdgeStore(settings.data_dir)
    teach(store, runs, products["textile"])
    store.close()
    shown = json.loads(indexer("show", "textile", "--json", data=settings.data_dir).stdout)
    assert (shown["usable"], shown["self_test"], shown["refusal"]) == (True, "passed", None)
    assert shown["self_test_record"]["runtime"]["providers"] == "CPUExecutionProvider"
    assert "patches" not in shown["self_test_record"]
    assert shown["patches"] > 0
