"""``keys``: the key alone on standard output, once; lists without keys; revoked for good."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.helpers.command_line import indexer, indexer_json

KEY = r"pb_[0-9a-f]{8}_[A-Za-z0-9_-]{43}"


def test_a_key_is_alone_on_standard_output_and_the_remark_beside_it(tmp_path: Path) -> None:
    result = indexer("keys", "create", "line-3", "--scope", "detect", data=tmp_path)
    assert result.exit_code == 0, result.output
    assert re.fullmatch(KEY + "\n", result.stdout)
    assert "line-3" in result.stderr
    assert "not shown again" in result.stderr


def test_keys_are_made_listed_and_revoked_with_json(tmp_path: Path) -> None:
    made = indexer_json("keys", "create", "line-3", "--scope", "teach", data=tmp_path)
    assert re.fullmatch(KEY, made["key"])
    assert (made["name"], made["scope"], made["revoked_at"]) == ("line-3", "teach", None)
    (listed,) = indexer_json("keys", "list", data=tmp_path)["keys"]
    assert listed == {name: value for name, value in made.items() if name != "key"}
    revoked = indexer_json("keys", "revoke", made["id"], data=tmp_path)
    assert revoked["revoked_at"] is not None
    assert indexer_json("keys", "list", data=tmp_path)["keys"] == [revoked]


def test_the_list_for_people_shows_no_key(tmp_path: Path) -> None:
    key = indexer("keys", "create", "line-3", "--scope", "detect", data=tmp_path).stdout.strip()
    indexer("keys", "revoke", "line-3", data=tmp_path)
    shown = indexer("keys", "list", data=tmp_path).output
    assert "line-3" in shown
    assert key not in shown
    assert key.split("_", 2)[2] not in shown


def test_errors_are_coded(tmp_path: Path) -> None:
    indexer("keys", "create", "line-3", "--scope", "detect", data=tmp_path)
    words = {
        ("create", "line-3", "--scope", "admin"): "key_name_taken",
        ("create", "a/b", "--scope", "admin"): "invalid_parameters",
        ("revoke", "nobody"): "unknown_key",
    }
    for given, code in words.items():
        result = indexer("keys", *given, "--json", data=tmp_path)
        assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (1, code)
    assert indexer("keys", "create", "x", "--scope", "root", data=tmp_path).exit_code == 2
    assert indexer("keys", "create", "x", data=tmp_path).exit_code == 2, "a scope is always said"
