"""The router collection: all active classes' CLS embeddings, for class retrieval in one query.

It can always be made again from the banks. Other processes may be reading it, so it is never changed in place: a
change is made on a copy, and the pointer file then names the copy.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import qdrant_edge as qe

from patchbank.arrays import FloatArray
from patchbank.bank.edge.shard import Shard
from patchbank.bank.names import BankRef
from patchbank.bank.router import ROUTER_PREFIX, router_hit, router_point
from patchbank.bank.store import RouterHit
from patchbank.errors import DamagedBank

Entries = tuple[BankRef, list[str], FloatArray]
"""A bank with the image ids and CLS embeddings (M, D') of its references."""


def router_name(fingerprint: str) -> str:
    """A fresh collection name for the router of one preprocessing fingerprint."""
    return f"{ROUTER_PREFIX}{fingerprint}-{secrets.token_hex(4)}"


def write_router(
    path: Path, base: Path | None, dropped: str, added: Entries | None, rebuild: Iterable[Entries]
) -> None:
    """Write a router at the new directory ``path``.

    It is a copy of ``base`` without the class ``dropped`` and with ``added``; if there is no usable base,
    ``rebuild`` gives the entries of all other classes.
    """
    shard = _copy(path, base)
    try:
        if shard is None:
            everything = [*rebuild, *([added] if added else [])]
            shard = Shard.create(path, cls_dim=everything[0][2].shape[1])
        else:
            everything = [added] if added else []
            own = qe.FieldCondition("class_name", match=qe.MatchValue(dropped))
            shard.delete(qe.Filter(must=[own]))
        for entries in everything:
            shard.upsert(_points(entries))
        shard.seal()
    finally:
        if shard is not None:
            shard.close()


def find_references(shard: Shard, query: FloatArray, k: int) -> list[RouterHit]:
    """The k nearest reference images in CLS space."""
    return [router_hit(point.payload, float(point.score)) for point in shard.nearest_cls(query, k)]


def _copy(path: Path, base: Path | None) -> Shard | None:
    if base is None:
        return None
    try:
        shutil.copytree(base, path)
        return Shard.load(path)
    except (OSError, DamagedBank):  # lost or damaged: the caller makes it again from the banks
        shutil.rmtree(path, ignore_errors=True)
        return None


def _points(entries: Entries) -> list[qe.Point]:
    bank, image_ids, vectors = entries
    points = []
    for image_id, vector in zip(image_ids, vectors, strict=True):
        point, payload = router_point(bank, image_id)
        named: Any = {"cls": vector}
        points.append(qe.Point(point, named, payload))
    return points
