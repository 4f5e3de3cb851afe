"""Names and ids of the bank schema."""

from __future__ import annotations

from datetime import datetime, timezone
from uuid import UUID

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from patchbank.bank.names import (
    TURN_ROWS,
    BankRef,
    PatchId,
    check_class_name,
    new_version,
    patch_point,
    reference_point,
)
from patchbank.errors import InvalidClassName, InvalidParameters

names = st.from_regex(r"[A-Za-z0-9](?:[A-Za-z0-9-]|_(?=[A-Za-z0-9-])){0,40}", fullmatch=True).filter(
    lambda name: name.lower() != "router"
)
image_ids = st.integers(0, 2**96 - 1).map(lambda number: f"{number:024x}")
cells = st.integers(0, 65535)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(timezone.utc))


@pytest.mark.parametrize("name", ["a", "7", "bolt", "Bolt-M8", "solar_mono", "a_b_c", "x-", "A" * 64, "routers"])
def test_a_good_class_name_is_itself(name: str) -> None:
    assert check_class_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", " ", "-a", "_a", "a_", "a__b", "a b", "a.b", "a/b", "..", "../up", "a\n", "\na", "A" * 65, "böt", "٣", "a\0"],
)
def test_a_bad_class_name_is_told(name: str) -> None:
    with pytest.raises(InvalidClassName, match="cannot name a product class"):
        check_class_name(name)


@pytest.mark.parametrize("name", ["router", "Router", "ROUTER"])
def test_the_router_is_no_class(name: str) -> None:
    with pytest.raises(InvalidClassName, match="reserved"):
        check_class_name(name)


def test_a_bad_class_name_is_a_bad_parameter() -> None:
    assert issubclass(InvalidClassName, InvalidParameters)


@hypothesis.settings(deadline=None)
@hypothesis.given(names, moments)
def test_a_collection_s_name_says_which_bank_it_is(name: str, moment: datetime) -> None:
    ref = BankRef(check_class_name(name), new_version(moment))
    assert ref.collection.startswith(f"patchbank__{name}__")
    assert BankRef.parse(ref.collection) == ref


@hypothesis.settings(deadline=None)
@hypothesis.given(names, names, moments)
def test_banks_of_two_classes_have_two_names(first: str, second: str, moment: datetime) -> None:
    version = new_version(moment)
    assert (BankRef(first, version).collection == BankRef(second, version).collection) == (first == second)


@pytest.mark.parametrize(
    "collection",
    [
        "",
        "patchbank",
        "patchbank__bolt",
        "patchbank__bolt__v1__more",
        "other__bolt__v1",
        "Patchbank__bolt__v1",
        "patchbank_bolt_v1",
        "patchbank__router__v1",
    ],
)
def test_other_collections_are_no_banks(collection: str) -> None:
    assert BankRef.parse(collection) is None


@hypothesis.settings(deadline=None)
@hypothesis.given(moments, moments)
def test_versions_sort_by_time(first: datetime, second: datetime) -> None:
    earlier, later = sorted((first, second))
    assert new_version(earlier) <= new_version(later)
    assert (new_version(earlier) == new_version(later)) == (earlier == later)


def test_a_version_is_of_now_in_utc() -> None:
    before = new_version(datetime.now(timezone.utc))
    version = new_version()
    assert before <= version <= new_version(datetime.now(timezone.utc))


@hypothesis.settings(deadline=None)
@hypothesis.given(image_ids, cells, cells)
def test_a_patch_s_id_says_where_it_is_from(image_id: str, row: int, column: int) -> None:
    raw = np.frombuffer(UUID(patch_point(image_id, row, column)).bytes, dtype=np.uint8)
    assert PatchId.from_bytes(raw) == PatchId(image_id, row % TURN_ROWS, column, row // TURN_ROWS)


@hypothesis.settings(deadline=None)
@hypothesis.given(image_ids, cells, cells)
def test_a_reference_s_id_is_no_patch_s(image_id: str, row: int, column: int) -> None:
    hypothesis.assume((row, column) != (65535, 65535))
    assert str(UUID(reference_point(image_id))) == reference_point(image_id)
    assert reference_point(image_id) != patch_point(image_id, row, column)
    assert reference_point(image_id).replace("-", "")[:24] == image_id


def test_ids_of_neighbouring_cells_differ() -> None:
    ids = {patch_point("0" * 24, row, column) for row in range(40) for column in range(40)}
    assert len(ids) == 1600


@pytest.mark.parametrize("collection", ["patchbank____v1", "patchbank__bolt__", "patchbank__a b__v1"])
def test_names_that_no_bank_can_have_are_no_banks(collection: str) -> None:
    assert BankRef.parse(collection) is None
