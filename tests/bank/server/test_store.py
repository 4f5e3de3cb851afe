"""What only the server store has: the wire, the lease, indexing, and what happens when calls fail."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc as wire
import numpy as np
import pytest
import trustme
from qdrant_client import grpc, models

from patchbank.bank.manifest import LAYOUT
from patchbank.bank.names import PREFIX
from patchbank.bank.sealed_document import sealed, unsealed
from patchbank.bank.server.collection import MANIFEST_POINT
from patchbank.bank.server.lease import COLLECTION as LEASES
from patchbank.bank.server.link import ServerLink
from patchbank.bank.server.manifest_payload import packed, unpacked
from patchbank.bank.server.points import _packed
from patchbank.bank.server.store import ServerStore
from patchbank.bank.store import BankSpec
from patchbank.errors import ClassBusy, DamagedBank, InvalidSettings, NewerLayout, StoreRefused, StoreUnavailable
from patchbank.scoring.threshold import calibrate
from patchbank.settings import load_settings
from tests.helpers.banks import FINGERPRINT, SPEC, brute_force, fill, manifest, teach, unit, vectors
from tests.helpers.grpc_qdrant import Behaviour, Served, serving_qdrant
from tests.helpers.places import ROOT
from tests.helpers.stores import settings_of

OpenServer = Callable[..., ServerStore]
UNAVAILABLE = wire.StatusCode.UNAVAILABLE


@pytest.fixture
def open_store(served: Served) -> Iterator[OpenServer]:
    opened: list[ServerStore] = []

    def make(**options: Any) -> ServerStore:
        link = ServerLink.open(options.pop("settings", settings_of(served)))
        store = ServerStore(link, **{"keep_versions": 2, "index_from": 1_500, "lease_seconds": 3.0, **options})
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


def collections(served: Served) -> set[str]:
    return {collection.name for collection in served.qdrant.client.get_collections().collections}


def test_vectors_go_over_the_wire_bit_by_bit() -> None:
    rows = unit(np.random.default_rng(0).normal(size=(5, 300)))
    for message, row in zip(_packed(rows), rows, strict=True):
        assert message.SerializeToString() == grpc.DenseVector(data=row.tolist()).SerializeToString()
    for message, row in zip(_packed(rows[:, ::2]), rows[:, ::2], strict=True):
        assert list(message.data) == row.tolist()


def test_the_key_is_sent_with_every_call_and_a_wrong_one_is_an_error_of_its_own(
    open_store: OpenServer, behaviour: Behaviour, served: Served
) -> None:
    behaviour.api_key = "right"
    settings = settings_of(served).model_dump()
    teach(open_store(settings=load_settings(**{**settings, "qdrant_api_key": "right"})), "part")
    for key in ("wrong", ""):
        store = open_store(settings=load_settings(**{**settings, "qdrant_api_key": key}))
        with pytest.raises(StoreRefused, match="PATCHBANK_QDRANT_API_KEY") as caught:
            store.bank("part")
        assert "right" not in str(caught.value)
        assert (caught.value.code, caught.value.status) == ("store_refused", 503)


def test_the_server_s_certificate_is_checked_against_the_ca_file(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    pair = (certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    with serving_qdrant(Behaviour(api_key="key"), wire.ssl_server_credentials([pair])) as served:
        for file, trusted in (("ca.pem", True), ("other.pem", False)):
            settings = load_settings(
                qdrant_url="https://localhost",
                qdrant_grpc_port=served.port,
                qdrant_api_key="key",
                qdrant_ca_file=tmp_path / file,
            )
            store = ServerStore.open(settings)
            if trusted:
                assert dict(store.active()) == {}
            else:
                with pytest.raises(StoreUnavailable):
                    store.active()
            store.close()
    with pytest.raises(InvalidSettings, match="PATCHBANK_QDRANT_CA_FILE"):
        ServerStore.open(load_settings(qdrant_url="https://localhost", qdrant_ca_file=tmp_path / "none.pem"))


@pytest.mark.parametrize("url", ["qdrant:6333", "ftp://host", "http://", "http://host/path", "http://user@host"])
def test_a_url_that_names_no_server_is_refused(url: str) -> None:
    with pytest.raises(InvalidSettings, match="PATCHBANK_QDRANT_URL"):
        load_settings(qdrant_url=url)


def test_an_empty_ca_file_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBANK_QDRANT_CA_FILE", "")
    assert load_settings().qdrant_ca_file is None


def test_the_key_is_not_shown_with_the_settings() -> None:
    assert "secret-key" not in repr(load_settings(qdrant_api_key="secret-key"))


def test_an_image_is_one_request_and_a_large_one_is_split_by_bytes(open_store: OpenServer, served: Served) -> None:
    store = open_store(index_from=10**9)
    bank, few, many = vectors(1, 50, 2_000), vectors(2, 100, 2_000), vectors(3, 1_100, 2_000)
    with store.draft("part", BankSpec(2_000, 4)) as draft:
        fill(draft, [bank], vectors(4, 1, 4))
        draft.seal()
        for queries, requests in ((few, 1), (many, 3)):
            served.qdrant.calls.clear()
            neighbours = draft.nearest(queries, 2)
            assert served.qdrant.calls["QueryBatch"] == requests
            assert neighbours.distances.mean(axis=1) == pytest.approx(brute_force(queries, bank, 2), abs=1e-5)


def test_images_left_out_are_one_condition_however_many(open_store: OpenServer, served: Served) -> None:
    store = open_store()
    teach(store, "part")
    gone = [f"{number:024x}" for number in range(10**6, 10**6 + 128)]
    store.bank("part").nearest(vectors(1), 1, exclude_images=gone)
    request = next(asked for asked in served.qdrant.requests if isinstance(asked, grpc.QueryBatchPoints))
    (condition,) = request.query_points[0].filter.must_not
    assert list(condition.field.match.keywords.strings) == gone


def test_a_version_serves_only_when_the_server_has_indexed_all_of_it(
    open_store: OpenServer, behaviour: Behaviour, served: Served
) -> None:
    store = open_store(index_from=15)
    behaviour.status = [
        (2, 0.0),
        (1, 0.0),
        (2, 0.8),
        (1, 0.8),
        (1, 1.0),
    ]  # the status is green before the optimizer starts
    with store.draft("part", SPEC) as draft:
        fill(draft, [vectors(number) for number in range(3)], vectors(7, 3, 4))
        served.qdrant.calls.clear()
        served.qdrant.requests.clear()
        draft.seal()
        asked = [type(request).__name__ for request in served.qdrant.requests]
        assert asked.count("GetCollectionInfoRequest") == 5
        update = next(request for request in served.qdrant.requests if isinstance(request, grpc.UpdateCollection))
        assert update.optimizers_config.indexing_threshold == 1
        assert dict(store.active()) == {}
        draft.activate(manifest(draft, references=3, patches=18, dims=(8, 4)))
    served.qdrant.requests.clear()
    bank = open_store(index_from=10**9).bank("part")
    assert not bank.nearest(vectors(1), 1).exact, "a bank opened later knows that there is a graph"
    assert bank.nearest(vectors(1), 1, exact=True).exact
    first, second = (r.query_points[0].params for r in served.qdrant.requests if isinstance(r, grpc.QueryBatchPoints))
    assert (first.exact, first.hnsw_ef, first.quantization.rescore) == (False, 32, True)
    assert first.quantization.oversampling == 16
    assert (second.exact, second.quantization.ignore) == (True, True)


def test_a_server_that_fails_to_index_leaves_nothing_behind(
    open_store: OpenServer, behaviour: Behaviour, served: Served
) -> None:
    store = open_store(index_from=15)
    behaviour.status = [(2, 0.5), (3, 0.5)]
    with pytest.raises(StoreUnavailable, match="failed to index"):
        teach(store, "part")
    assert not any(name.startswith(f"{PREFIX}__part") for name in collections(served))
    assert dict(store.active()) == {}


def test_an_upload_goes_on_where_the_connection_breaks(
    open_store: OpenServer, behaviour: Behaviour, served: Served
) -> None:
    broken = iter([None, UNAVAILABLE, None, UNAVAILABLE, UNAVAILABLE, None, UNAVAILABLE] + [None] * 1_000)
    store = open_store()
    behaviour.fail = lambda name, _: next(broken) if name == "Upsert" else None
    ref = teach(store, "part", images=20)
    bank = store.bank("part")
    assert (bank.manifest.ref, bank.manifest.patches, len(bank.references())) == (ref, 120, 20)
    assert np.abs(bank.nearest(vectors(7), 1).distances).max() < 1e-6


def test_an_upload_that_cannot_be_done_fails_and_the_old_version_serves_on(
    open_store: OpenServer, behaviour: Behaviour, served: Served
) -> None:
    store = open_store()
    ref = teach(store, "part")
    before = collections(served)
    with pytest.raises(StoreUnavailable, match="INTERNAL"), store.draft("part", SPEC) as draft:
        new = draft.ref.collection
        behaviour.fail = lambda name, where: wire.StatusCode.INTERNAL if (name, where) == ("Upsert", new) else None
        for _ in range(50):
            fill(draft, [vectors(800)], vectors(9, 1, 4))
    behaviour.fail = lambda *_: None
    assert collections(served) == before
    assert store.bank("part").manifest.ref == ref
    assert teach(store, "part", 4) == store.bank("part").manifest.ref


def test_an_upload_that_is_given_up_does_not_wait_for_a_server_that_is_away(
    open_store: OpenServer, behaviour: Behaviour
) -> None:
    store = open_store()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt), store.draft("part", SPEC) as draft:
        behaviour.fail = lambda *_: UNAVAILABLE
        fill(draft, [vectors(800)], vectors(9, 1, 4))
        raise KeyboardInterrupt
    assert time.monotonic() - begin < 10.0


def test_a_version_with_missing_points_never_serves(open_store: OpenServer, served: Served) -> None:
    store = open_store()
    with pytest.raises(StoreUnavailable, match="holds 3 references and 17 patches"), store.draft("part", SPEC) as draft:
        fill(draft, [vectors(number) for number in range(3)], vectors(7, 3, 4))
        draft.seal()
        facts = manifest(draft, references=3, patches=18, dims=(8, 4))
        points, _ = served.qdrant.client.scroll(draft.ref.collection, with_payload=True)
        lost = next(
            point.id for point in points if "row" in (point.payload or {}) and "name" not in (point.payload or {})
        )
        served.qdrant.client.delete(draft.ref.collection, models.PointIdsList(points=[lost]))
        draft.activate(facts)
    assert dict(store.active()) == {}


def test_reads_are_tried_again_but_not_for_ever(open_store: OpenServer, behaviour: Behaviour, served: Served) -> None:
    store = open_store()
    teach(store, "part")
    broken = iter([UNAVAILABLE, UNAVAILABLE] + [None] * 100)
    behaviour.fail = lambda *_: next(broken)
    assert "part" in store.active()
    behaviour.fail = lambda *_: UNAVAILABLE
    served.qdrant.calls.clear()
    begin = time.monotonic()
    with pytest.raises(StoreUnavailable, match="try again later") as caught:
        store.active()
    assert time.monotonic() - begin < 3.0
    assert served.qdrant.calls["ListAliases"] == 3
    assert (caught.value.code, caught.value.status) == ("store_unavailable", 503)


def test_a_server_without_conditional_writes_is_read_but_not_written(
    open_store: OpenServer, behaviour: Behaviour
) -> None:
    store = open_store()
    teach(store, "part")
    behaviour.version = "1.15.5"
    assert "part" in store.active()
    with pytest.raises(StoreUnavailable, match=r"1\.15\.5.*1\.16"):
        store.draft("part", SPEC)
    behaviour.version = "1.16.0-dev"
    teach(store, "part")


def test_who_lost_the_lease_changes_nothing(open_store: OpenServer, served: Served) -> None:
    store = open_store(lease_seconds=60.0)
    ref = teach(store, "part")
    with pytest.raises(ClassBusy), store.draft("part", SPEC) as draft:
        fill(draft, [vectors(800)], vectors(9, 1, 4))
        draft.seal()
        leases, _ = served.qdrant.client.scroll(LEASES)
        payload = {**(leases[0].payload or {}), "owner": "another", "expires_at": time.time() + 60}
        served.qdrant.client.upsert(LEASES, [models.PointStruct(id=leases[0].id, vector={}, payload=payload)])
        draft.activate(manifest(draft, references=1, patches=6, dims=(8, 4)))
    assert store.versions("part") == [ref.version]
    leases, _ = served.qdrant.client.scroll(LEASES)
    assert [(lease.payload or {})["owner"] for lease in leases] == ["another"], "the lease of the other holder stays"


def test_a_lease_is_held_for_as_long_as_its_holder_works(open_store: OpenServer) -> None:
    first, second = open_store(lease_seconds=0.6), open_store(lease_seconds=0.6)
    with first.draft("part", SPEC):
        time.sleep(1.5)
        with pytest.raises(ClassBusy):
            second.draft("part", SPEC)


def test_the_serving_version_is_never_swept_up(open_store: OpenServer, served: Served) -> None:
    ref = teach(open_store(), "part")
    served.qdrant.client.delete(ref.collection, models.PointIdsList(points=[MANIFEST_POINT]))
    with open_store().draft("part", SPEC):
        assert ref.collection in collections(served)
    assert ref.collection in collections(served)


def test_a_lease_is_let_go_soon_even_where_the_server_is_away(open_store: OpenServer, behaviour: Behaviour) -> None:
    store = open_store(lease_seconds=0.6)
    with store.draft("part", SPEC):
        behaviour.fail = lambda *_: UNAVAILABLE
        time.sleep(1.5)  # a renewal is in progress and is retried repeatedly
        begin = time.monotonic()
    assert time.monotonic() - begin < 10.0
    behaviour.fail = lambda *_: None
    with open_store().draft("part", SPEC):
        pass


KILLED = """
import os, signal, sys
from tests.helpers.banks import SPEC, fill, manifest, vectors
from patchbank.bank.server.store import ServerStore
from patchbank.bank.server.link import ServerLink
from patchbank.settings import load_settings

settings = load_settings(qdrant_url="http://127.0.0.1", qdrant_grpc_port=int(sys.argv[1]))
store = ServerStore(ServerLink.open(settings), keep_versions=2, lease_seconds=2.0)
where = sys.argv[2]
def die(*_args, **_kwargs): os.kill(os.getpid(), signal.SIGKILL)
if where == "router": store._router.enter = die
if where == "alias": store._switch = die
with store.draft("part", SPEC) as draft:
    fill(draft, [vectors(800)], vectors(9, 1, 4))
    if where == "filling":
        draft.count_patches()
        die()
    draft.seal()
    draft.activate(manifest(draft, references=1, patches=6, dims=(8, 4)))
"""


@pytest.mark.parametrize("where", ["filling", "router", "alias"])
def test_a_killed_indexer_leaves_the_old_version_serving_and_the_next_one_cleans_up(
    open_store: OpenServer, served: Served, where: str
) -> None:
    store = open_store()
    ref = teach(store, "part", 0)
    done = subprocess.run([sys.executable, "-c", KILLED, str(served.port), where], cwd=ROOT, check=False)
    assert done.returncode == -9
    assert len([name for name in collections(served) if name.startswith(f"{PREFIX}__part__")]) == 2
    with pytest.raises(ClassBusy, match="if it has died, its lease expires in"):
        store.draft("part", SPEC)
    assert store.bank("part").manifest.ref == ref
    assert len(store.nearest_references(FINGERPRINT, vectors(7, 3, 4)[0], 10)) == 3
    time.sleep(2.1)
    newer = teach(store, "part", 4)
    assert store.bank("part").manifest.ref == newer
    assert len(store.nearest_references(FINGERPRINT, vectors(11, 3, 4)[0], 10)) == 3
    held = {name for name in collections(served) if name.startswith(f"{PREFIX}__part__")}
    assert held == {f"{PREFIX}__part__{version}" for version in store.versions("part")}


@pytest.mark.parametrize(("layout", "kind"), [(LAYOUT + 1, NewerLayout), (0, DamagedBank), ("2", DamagedBank)])
def test_a_bank_of_another_layout_is_an_error_not_guessed_at(
    open_store: OpenServer, served: Served, layout: object, kind: type[DamagedBank]
) -> None:
    ref = teach(open_store(), "part")
    records, _ = served.qdrant.client.scroll(ref.collection, limit=100)
    point = next(point for point in records if "manifest" in (point.payload or {}))
    content = {**unsealed(unpacked(point.payload or {})), "layout": layout}
    payload = packed(sealed(content), indexed=False)
    served.qdrant.client.upsert(ref.collection, [models.PointStruct(id=point.id, vector={}, payload=payload)])
    with pytest.raises(kind, match="layout") as caught:
        open_store().bank("part")
    assert type(caught.value) is kind


def test_a_manifest_comes_back_to_the_last_digit_from_a_server_that_keeps_numbers_less_exactly(
    open_store: OpenServer, served: Served
) -> None:
    calibration = calibrate(np.random.default_rng(0).random(50).tolist(), "held-out", 0.4)
    ref = teach(open_store(), "part", calibration=calibration)
    assert open_store().bank("part").manifest.calibration == calibration
    payload = served.qdrant.client.retrieve(ref.collection, [MANIFEST_POINT])[0].payload or {}
    earlier = {"manifest": {**unsealed(unpacked(payload)), "layout": 4}, "indexed": False}
    served.qdrant.client.overwrite_payload(ref.collection, earlier, [MANIFEST_POINT])
    assert open_store().bank("part").manifest.calibration == calibration, "as earlier releases kept it"
