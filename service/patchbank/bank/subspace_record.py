"""The subspace of a class's normal patches, as a manifest stores it."""

from __future__ import annotations

import base64

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from patchbank.arrays import FloatArray


class SubspaceRecord(BaseModel):
    """``mean`` (D,) and ``axes`` (K, D), orthonormal: base64 of little-endian float32."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mean: str
    axes: str

    @model_validator(mode="after")
    def _check(self) -> SubspaceRecord:
        self.arrays()
        return self

    @classmethod
    def of(cls, mean: FloatArray, axes: FloatArray) -> SubspaceRecord:
        """The record of these arrays."""
        return cls(mean=_encoded(mean), axes=_encoded(axes))

    def arrays(self) -> tuple[FloatArray, FloatArray]:
        """Mean and axes. Raises ``ValueError`` where they do not fit each other."""
        mean, axes = _decoded(self.mean), _decoded(self.axes)
        if not len(mean) or not len(axes) or len(axes) % len(mean):
            raise ValueError(f"a subspace of {len(mean)} numbers with axes of {len(axes)} in all")
        return mean, axes.reshape(-1, len(mean))


def _encoded(values: FloatArray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode()


def _decoded(text: str) -> FloatArray:
    values = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("a subspace with numbers that are not finite")
    return values
