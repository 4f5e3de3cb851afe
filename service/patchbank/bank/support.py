"""Which references the scores of a calibration rest on: where one of those is withdrawn, the score is stale."""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from patchbank.arrays import BoolArray


class Support(BaseModel):
    """For each score the references that hold the nearest patch of any of its image's patches.

    ``references`` are image ids; ``bits`` is base64 of a matrix of bits (scores, references), packed row by row.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    references: tuple[str, ...]
    bits: str

    @classmethod
    def of(cls, rows: Sequence[Collection[str]]) -> Support:
        """The record of the references of each score, in the order of the scores."""
        names = sorted({name for row in rows for name in row})
        places = {name: place for place, name in enumerate(names)}
        matrix = np.zeros((len(rows), len(names)), dtype=np.bool_)
        for number, row in enumerate(rows):
            matrix[number, [places[name] for name in row]] = True
        return cls(references=tuple(names), bits=base64.b64encode(np.packbits(matrix).tobytes()).decode())

    def rows(self, scores: int) -> list[frozenset[str]]:
        """The references of each of so many scores."""
        names = np.asarray(self.references, dtype=object)
        return [frozenset(names[row].tolist()) for row in self._matrix(scores)]

    def _matrix(self, scores: int) -> BoolArray:
        packed = np.frombuffer(base64.b64decode(self.bits), dtype=np.uint8)
        bits = np.unpackbits(packed, count=scores * len(self.references))
        return bits.reshape(scores, len(self.references)).astype(np.bool_)

    @model_validator(mode="before")
    @classmethod
    def _is_base64(cls, stored: Any) -> Any:
        if isinstance(stored, dict) and isinstance(stored.get("bits"), str):
            base64.b64decode(stored["bits"], validate=True)
        return stored
