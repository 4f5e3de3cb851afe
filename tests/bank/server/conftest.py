"""A Qdrant server of the tests, and how it behaves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.grpc_qdrant import Behaviour, Served, serving_qdrant


@pytest.fixture
def behaviour() -> Behaviour:
    return Behaviour()


@pytest.fixture
def served(behaviour: Behaviour) -> Iterator[Served]:
    with serving_qdrant(behaviour) as running:
        yield running
