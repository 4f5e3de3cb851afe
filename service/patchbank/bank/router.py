"""What the routers of all stores share: CLS embeddings of reference images, for class retrieval in one query."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from patchbank.bank.names import PREFIX, BankRef
from patchbank.bank.store import RouterHit

ROUTER_PREFIX: Final = f"{PREFIX}__router__"


def router_point(ref: BankRef, image_id: str) -> tuple[str, dict[str, str]]:
    """Point id and payload of one reference image of one bank."""
    digest = hashlib.sha256(f"{ref.collection}/{image_id}".encode()).digest()
    payload = {
        "bank": ref.collection,
        "class_name": ref.class_name,
        "version": ref.version,
        "image_id": image_id,
    }
    return str(UUID(bytes=digest[:16])), payload


def router_hit(payload: Mapping[str, Any] | None, similarity: float) -> RouterHit:
    """The reference image that a router's point stands for."""
    fields = payload or {}
    return RouterHit(fields["class_name"], fields["image_id"], similarity)
