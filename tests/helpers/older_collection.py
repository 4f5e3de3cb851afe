"""The engine's collection of a part as earlier releases wrote it: references, CLS embeddings and patches in full."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import qdrant_edge as qe

from patchbank.bank.edge.cls_table import ClsTable
from patchbank.bank.names import reference_point


def write_older_collection(folder: Path) -> None:
    """Make ``shard`` from the flat files below ``folder``, and remove the references, which it holds alone."""
    table = ClsTable.read(folder / "cls", None)
    vectors, ids = np.load(folder / "exact" / "vectors.npy"), np.load(folder / "exact" / "ids.npy")
    params = {
        "cls": qe.EdgeVectorParams(table.vectors.shape[1], qe.Distance.Dot),
        "patch": qe.EdgeVectorParams(vectors.shape[1], qe.Distance.Dot),
    }
    (folder / "shard").mkdir()
    shard = qe.EdgeShard.create(str(folder / "shard"), qe.EdgeConfig(vectors=params, wal_enabled=False))
    shard.update(qe.UpdateOperation.create_field_index("image_id", qe.PayloadSchemaType.Keyword))
    of = dict(zip(table.image_ids, table.vectors, strict=True))
    references = json.loads((folder / "references.json").read_bytes())
    points = [_point(reference_point(each["image_id"]), "cls", of[each["image_id"]], each) for each in references]
    for raw, vector in zip((row.tobytes() for row in ids), vectors, strict=True):
        cell = {"row": int.from_bytes(raw[12:14], "big"), "col": int.from_bytes(raw[14:], "big")}
        points.append(_point(str(UUID(bytes=raw)), "patch", vector, {"image_id": raw[:12].hex(), **cell}))
    shard.update(qe.UpdateOperation.upsert_points(points))
    shard.optimize()
    shard.flush()
    shard.close()
    (folder / "references.json").unlink()


def _point(name: str, kind: str, vector: Any, payload: dict[str, Any]) -> qe.Point:
    return qe.Point(name, {kind: vector}, payload)
