"""When a service asks for keys, and that it refuses to start where there are none."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from patchbank.api.key_rule import beyond_loopback, keys_are_asked_for, require_a_key
from patchbank.errors import HistoryUnavailable, InvalidSettings, NoKeys
from patchbank.history.database import Database
from patchbank.history.keys import KeyRing
from patchbank.settings import Settings, load_settings

EVERYWHERE = "0.0.0.0"  # noqa: S104  # nothing listens there
ADMIN_KEY = "of-the-environment-" * 2


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost", "::ffff:127.0.0.1", "0:0:0:0:0:0:0:1"])
def test_loopback_is_this_machine_alone(host: str) -> None:
    assert not beyond_loopback(host)


@pytest.mark.parametrize(
    "host", [EVERYWHERE, "::", "", "0", "10.1.2.3", "192.168.0.7", "::ffff:10.1.2.3", "fe80::1", "no-such-host.invalid"]
)
def test_every_other_address_is_beyond_it_and_so_is_what_nobody_knows(host: str) -> None:
    assert beyond_loopback(host)


def test_a_name_counts_by_all_that_it_stands_for(monkeypatch: pytest.MonkeyPatch) -> None:
    places = ["127.0.1.1", "::1"]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (place, 0)) for place in places])
    assert not beyond_loopback("here")
    places.append("10.0.0.1")
    assert beyond_loopback("here")


@pytest.mark.parametrize(
    ("auth", "host", "asked"),
    [
        ("auto", "127.0.0.1", False),
        ("auto", EVERYWHERE, True),
        ("keys", "127.0.0.1", True),
        ("keys", EVERYWHERE, True),
        ("off", "127.0.0.1", False),
        ("off", EVERYWHERE, False),
    ],
)
def test_keys_are_asked_for_as_the_setting_says(auth: str, host: str, asked: bool, settings: Settings) -> None:
    told = load_settings(data_dir=settings.data_dir, auth=auth, host=host)
    assert keys_are_asked_for(told) is asked
    if asked:
        with pytest.raises(NoKeys, match="keys create NAME"):
            require_a_key(told)
        with closing(Database(told)) as database:
            KeyRing(database).create("line-3", "detect")
        require_a_key(told)
        with closing(Database(told)) as database:
            KeyRing(database).revoke("line-3")
        with pytest.raises(NoKeys):
            require_a_key(told)
    else:
        require_a_key(told)
        assert not told.data_dir.exists(), "the database is not touched"


def test_a_key_of_the_environment_is_enough_even_where_the_database_is_away(tmp_path: Path) -> None:
    away = {"data_dir": tmp_path, "auth": "keys", "history_url": "postgresql://me:geheim@127.0.0.1:1/x"}
    require_a_key(load_settings(**away, admin_key=ADMIN_KEY))
    with pytest.raises(HistoryUnavailable, match="no API key can be checked") as caught:
        require_a_key(load_settings(**away))
    assert "geheim" not in caught.value.message


def test_an_open_service_is_warned_of(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "patchbank"):
        require_a_key(load_settings(auth="off", host=EVERYWHERE))
    assert "may do everything" in caplog.text


@pytest.mark.parametrize("key", ["short", "x" * 31, "with a space " * 4, "ü" * 40, "a\tb" * 20])
def test_a_weak_or_impossible_key_of_the_environment_is_refused(key: str) -> None:
    with pytest.raises(InvalidSettings, match=r"^PATCHBANK_ADMIN_KEY: use at least 32") as caught:
        load_settings(admin_key=key)
    assert key not in caught.value.message


def test_the_key_of_the_environment_is_not_shown() -> None:
    assert ADMIN_KEY not in repr(load_settings(admin_key=ADMIN_KEY))


@pytest.mark.parametrize(
    "origins",
    [
        "*",
        "https://*.example.com",
        "null",
        "line.example.com",
        "https://a/",
        "https://A.example",
        "ftp://a",
        "https://",
    ],
)
def test_sites_are_named_one_by_one(origins: str) -> None:
    with pytest.raises(InvalidSettings, match=r"^PATCHBANK_CORS_ORIGINS"):
        load_settings(cors_origins=origins)


def test_several_sites_are_separated_by_commas() -> None:
    told = load_settings(cors_origins="https://line.example.com, http://10.0.0.7:3000,http://[::1]:3000")
    assert told.cors_origins == ("https://line.example.com", "http://10.0.0.7:3000", "http://[::1]:3000")
    assert load_settings(cors_origins="").cors_origins == ()


def test_a_service_refuses_to_start_beyond_loopback_without_keys(tmp_path: Path) -> None:
    """As it is started: one line, exit status 1."""
    told = {"PATCHBANK_HOST": EVERYWHERE, "PATCHBANK_PORT": "0", "PATCHBANK_DATA_DIR": str(tmp_path / "data")}
    command = [sys.executable, "-m", "patchbank"]
    done = subprocess.run(command, env=os.environ | told, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("patchbank: the service would listen on 0.0.0.0, where others reach it")
    assert "PATCHBANK_AUTH=off" in line
