"""The keys as a running service knows them: ladder of scopes, wrong ones, a database that is away."""

from __future__ import annotations

import pytest

from patchbank.errors import KeyInvalid, KeysUnavailable
from patchbank.history.detection import utc_now
from patchbank.history.keys import SCOPES, ApiKey, Scope, digest
from patchbank.history.known_keys import GRACE_S, Holder, KnownKeys

KEY = f"pb_0123abcd_{'s' * 43}".encode()
OTHER = f"pb_0123abcd_{'t' * 43}".encode()
ENVIRONMENT = "of the environment".replace(" ", "-") * 2


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def row(key: bytes = KEY, scope: Scope = "detect") -> dict[str, tuple[ApiKey, str]]:
    key_id = key.decode().split("_")[1]
    known = ApiKey(id=key_id, name="line-3", scope=scope, made_at=utc_now(), revoked_at=None, used_at=None)
    return {key_id: (known, digest(key))}


@pytest.fixture
def known(clock: Clock) -> KnownKeys:
    keys = KnownKeys(ENVIRONMENT, clock)
    keys.learn(row())
    return keys


def test_a_scope_includes_those_before_it() -> None:
    table = {have: [need for need in SCOPES if Holder("x", have).may(need)] for have in SCOPES}
    assert table == {
        "detect": ["detect"],
        "review": ["detect", "review"],
        "teach": ["detect", "review", "teach"],
        "admin": ["detect", "review", "teach", "admin"],
    }


def test_a_key_names_its_holder(known: KnownKeys) -> None:
    assert known.holder(KEY) == Holder("line-3", "detect")


@pytest.mark.parametrize(
    "key", [OTHER, b"", b"x", KEY[:-1], KEY + b"x", b"\xff" * 40, KEY.replace(b"0", b"1"), b"0" * 64]
)
def test_wrong_and_malformed_keys_have_one_answer(known: KnownKeys, key: bytes) -> None:
    with pytest.raises(KeyInvalid) as caught:
        known.holder(key)
    assert caught.value.message == "this API key is not a valid one"
    assert not caught.value.detail


def test_the_stored_hash_opens_nothing(known: KnownKeys) -> None:
    with pytest.raises(KeyInvalid):
        known.holder(digest(KEY).encode())


def test_a_key_that_is_no_longer_listed_is_invalid_and_a_new_one_counts(known: KnownKeys) -> None:
    known.learn({})
    with pytest.raises(KeyInvalid):
        known.holder(KEY)
    known.learn(row(OTHER, "teach"))
    assert known.holder(OTHER).scope == "teach"


def test_keys_count_on_while_the_database_is_away_but_not_for_ever(known: KnownKeys, clock: Clock) -> None:
    clock.now = GRACE_S
    assert known.holder(KEY).name == "line-3"
    clock.now = GRACE_S + 1
    for key in (KEY, OTHER):
        with pytest.raises(KeysUnavailable):
            known.holder(key)
    assert known.holder(ENVIRONMENT.encode()) == Holder("PATCHBANK_ADMIN_KEY", "admin"), "needs no database"
    known.learn(row())
    assert known.holder(KEY).name == "line-3"


def test_before_the_first_reading_no_key_can_be_checked(clock: Clock) -> None:
    with pytest.raises(KeysUnavailable):
        KnownKeys("", clock).holder(KEY)


def test_without_a_key_in_the_environment_an_empty_one_opens_nothing(clock: Clock) -> None:
    keys = KnownKeys("", clock)
    keys.learn({})
    with pytest.raises(KeyInvalid):
        keys.holder(b"")


def test_uses_are_noted_once_a_minute(known: KnownKeys, clock: Clock) -> None:
    assert known.uses_to_note() == {}
    for _ in range(1000):
        known.holder(KEY)
    uses = known.uses_to_note()
    assert list(uses) == ["0123abcd"]
    assert known.uses_to_note() == uses, "until it is written down"
    known.noted(uses)
    for second in (1, 30, 60):
        clock.now = float(second)
        known.holder(KEY)
        assert known.uses_to_note() == {}
    clock.now = 61.0
    assert list(known.uses_to_note()) == ["0123abcd"], "what was asked for meanwhile is not lost"
