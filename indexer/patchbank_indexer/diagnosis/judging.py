"""What judges: execution providers, the backbone, the bank store and its banks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from patchbank.bank.open_store import open_store, server_troubles
from patchbank.bank.store import PatchStore
from patchbank.bank.view import View
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.engine_choice import way_of
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.embedding.model_files import find_backbone, model_path
from patchbank.embedding.providers import PROVIDERS, Runtime
from patchbank.embedding.self_test import self_test_picture
from patchbank.errors import PatchbankError, ProviderUnavailable
from patchbank.judging.backbone_choice import known_choice, with_backbone
from patchbank.judging.choice_file import Choice
from patchbank.judging.compatibility import compare
from patchbank.onnx_runtime import onnx_runtime
from patchbank.openvino_runtime import is_openvino_installed, openvino
from patchbank.settings import AUTO, Settings
from patchbank_indexer.diagnosis.check import Check, Status, looked_at

_RUNS: Final = 3


def look_at_providers(settings: Settings) -> Iterator[Check]:
    """Execution providers asked for and available; raises ``ProviderUnavailable``."""
    way_of(Runtime(settings.providers, precision=settings.precision))
    short = {name: key for key, name in PROVIDERS.items()}
    available = [short.get(name, name) for name in onnx_runtime().get_available_providers()]
    told = f"{', '.join(settings.providers)} asked for, {', '.join(available)} available"
    if not is_openvino_installed():
        yield Check("execution providers", "ok", f"{told}; OpenVINO is not installed by itself")
        return
    try:
        told = f"{told}; and OpenVINO {openvino().__version__} by itself"
    except ProviderUnavailable as error:
        yield Check("execution providers", "warning", f"{told}; {error.message}", "ONNX Runtime runs in its place")
        return
    yield Check("execution providers", "ok", told)


def look_at_backbone(settings: Settings) -> Iterator[Check]:
    """The file, its hash, and how long an image takes; raises what ``Embedder.open`` raises."""
    remarks: list[str] = []
    if settings.backbone == AUTO:
        with closing(open_store(settings)) as store:
            choice = known_choice(settings, store, remarks.append)
        yield _choice(choice)
        settings = with_backbone(settings, choice or Choice(BUILT_IN, "built-in", ""))
    for remark in remarks:
        yield Check("backbone", "warning", remark, "name one with PATCHBANK_BACKBONE, or teach classes again")
    path = model_path(find_backbone(settings.backbone, settings.data_dir), settings.data_dir)
    with Embedder.open(settings) as embedder:
        image = self_test_picture()
        embedder.embed(image)  # the first pass of a size takes longer
        begin = time.perf_counter()
        for _ in range(_RUNS):
            embedder.embed(image)
        spent = (time.perf_counter() - begin) / _RUNS
        told = (
            f"{settings.backbone}: {path}, {path.stat().st_size / 1e6:.1f} MB, SHA-256 {embedder.model_sha256}; "
            f"{spent:.2f} s per image of {image.size[0]} x {image.size[1]} on {', '.join(embedder.providers)} "
            f"({embedder.runs_on})"
        )
    yield Check("backbone", "ok", told)


def _choice(choice: Choice | None) -> Check:
    if choice is None:
        told = "auto: not decided yet; the first `add`, `update` or `serve` does it, or `model choose`"
        return Check("backbone", "ok", f"{told}. Tried is the built-in one")
    return Check("backbone", "ok", f"auto: {choice.line}")


def look_at_store(settings: Settings) -> Iterator[Check]:
    """Whether each node of the store, and the store, can be reached, whether it can be written, then each of its banks;
    raises what the store raises."""
    yield from _nodes(settings)
    with closing(open_store(settings)) as store:
        place = settings.qdrant_url or str(settings.data_dir)
        view = View(store)
        yield Check("store", "ok", f"{store.engine()} in {place}, {len(view.active)} classes")
        if settings.qdrant_url or settings.data_dir.exists():
            store.check_writable()
            yield Check("store", "ok", "it can be written")
        else:
            yield Check("store", "ok", "it is made when the first class is taught")
        yield from _banks(settings, store, view)


def _nodes(settings: Settings) -> Iterator[Check]:
    troubles = server_troubles(settings)
    some_answer = any(trouble is None for _, trouble in troubles)
    for url, trouble in troubles:
        if trouble is None:
            yield Check("store node", "ok", f"{url} answers")
        else:
            status: Status = "warning" if some_answer else "fault"
            advice = (
                "the others do its work; start it again" if some_answer else "docs/deployment.md tells of each code"
            )
            yield Check("store node", status, f"{trouble.message} [{trouble.code}]", advice)
    if settings.qdrant_key_exposed:
        told = (
            f"the API key is sent to {settings.qdrant_key_exposed} without TLS, where others on the network can read it"
        )
        yield Check("store node", "warning", told, "switch TLS on in Qdrant, and name it with https://")


def _banks(settings: Settings, store: PatchStore, view: View) -> Iterator[Check]:
    if not view.active:
        yield Check("banks", "ok", "no product class is taught yet: `add CLASS FOLDER` teaches one")
        return
    embedder: Embedder | None = None
    try:
        choice = known_choice(settings, store, lambda _told: None)  # told with the backbone
        if choice is not None:
            embedder = Embedder.open(with_backbone(settings, choice))
    except PatchbankError as error:
        yield Check("banks", "warning", f"no self-test: {error.message}", "mend the backbone first")
    try:
        for name in sorted(view.active):
            yield from looked_at(
                f"bank {name}",
                lambda name=name: [_bank(store, view, name, embedder)],  # type: ignore[misc]
                f"`activate {name} VERSION` lets an earlier version serve; or restore a snapshot, or teach it again",
            )
    finally:
        if embedder is not None:
            embedder.close()


def _bank(store: PatchStore, view: View, name: str, embedder: Embedder | None) -> Check:
    bank = view.bank(name)
    store.check(bank.manifest.ref)
    references = len(bank.references())
    manifest = bank.manifest
    told = f"version {manifest.version}, {references} references, {manifest.patches} patches"
    if references != manifest.references:
        why = f"{told}, but its manifest says {manifest.references} references"
        return Check(f"bank {name}", "fault", why, "restore a snapshot, or teach it again")
    if embedder is None:
        return Check(f"bank {name}", "ok", f"{told}; self-test not run")
    compatibility = compare(manifest, embedder)
    status: Status = {"failed": "fault", "passed": "ok"}.get(compatibility.outcome, "warning")  # type: ignore[assignment]
    advice = {
        "failed": "run the versions that it was taught with, or teach it again",
        "other backbone": "set PATCHBANK_BACKBONE to the one it was taught with, or teach it again",
        "not recorded": "teach it again, so that a changed runtime shows",
    }
    return Check(
        f"bank {name}",
        status,
        f"{told}; self-test: {compatibility.reason or compatibility.outcome}",
        advice.get(compatibility.outcome, ""),
    )
