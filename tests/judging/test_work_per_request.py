"""What one request asks of the store, and how often a class's mask is decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from patchbank.arrays import BoolArray
from patchbank.bank import region_of_interest
from patchbank.bank.server.link import ServerLink
from patchbank.bank.server.store import ServerStore
from patchbank.embedding.embedder import Embedder
from patchbank.judging.inspector import Inspector
from patchbank.settings import Settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher
from tests.helpers.grpc_qdrant import GrpcQdrant, serving_qdrant
from tests.helpers.stores import settings_of
from tests.judging.test_masked_class import half, inspector, mask_file, part, parts, save, tiny

__all__ = ["inspector", "tiny"]

ALIASES, ROUTER, SEARCH = "ListAliases", "Query", "QueryBatch"


@pytest.fixture(params=[10**6, 1], ids=["exhaustive", "indexed"])
def served(
    request: pytest.FixtureRequest, settings: Settings, tiny: Embedder, tmp_path: Path
) -> Iterator[tuple[Inspector, GrpcQdrant]]:
    """An inspector of two classes on a server, and the server. With an index, patches that decide are searched
    twice."""
    with serving_qdrant() as server:
        store = ServerStore(ServerLink.open(settings_of(server)), index_from=request.param)
        try:
            teacher = Teacher(settings, tiny, store)
            teacher.teach("part", parts(tmp_path / "part", 5))
            teacher.teach("other", [save(tmp_path / "other" / f"{seed}.png", 255 - part(seed)) for seed in range(5)])
            yield Inspector(settings, tiny, store), server.qdrant
        finally:
            store.close()


@pytest.mark.parametrize("class_name", [None, "part"])
def test_a_request_asks_for_aliases_router_and_patches_once_and_again_only_for_exact_second_looks(
    served: tuple[Inspector, GrpcQdrant], class_name: str | None, tmp_path: Path
) -> None:
    inspector, server = served
    image = save(tmp_path / "new.png", part(50))
    inspector.inspect(image, class_name)  # manifests are read once per version
    server.calls.clear()
    inspection = inspector.inspect(image, class_name)
    assert inspection.verdict is not None
    calls = Counter(server.calls)
    assert calls[SEARCH] >= 1
    assert calls == {ALIASES: 1, ROUTER: 1, SEARCH: calls[SEARCH]}
    searches = [request for request in server.requests if type(request).__name__ == "QueryBatchPoints"][
        -calls[SEARCH] :
    ]
    exact = [all(query.params.exact for query in request.query_points) for request in searches]
    assert exact[1:] == [True] * (len(exact) - 1), "every search after the first is exact"


def test_a_mask_is_decoded_a_few_times_per_class_and_not_for_every_image(
    teacher: Teacher, inspector: Inspector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    plain = region_of_interest._decode

    def decode(png: str) -> BoolArray:
        decoded.append(png)
        return plain(png)

    monkeypatch.setattr(region_of_interest, "_decode", decode)
    options = TeachOptions(roi=mask_file(tmp_path / "mask.png", half()), foreground="on")
    counts = []
    for images in (5, 10):
        teacher.teach("part", parts(tmp_path / f"{images}", images), options=options)
        counts.append(len(decoded))
        decoded.clear()
    assert counts[0] == counts[1] <= 5
    image = save(tmp_path / "new.png", part(50))
    inspector.inspect(image, "part")
    assert len(decoded) <= 2, "only at the class's first image, when its manifest is read and its areas are computed"
    decoded.clear()
    for _ in range(3):
        inspector.inspect(image, "part")
    assert decoded == []
