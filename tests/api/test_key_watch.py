"""The keys of a running service whose database goes away, and comes back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing

import anyio
import pytest

from patchbank.api.key_watch import KeyWatch
from patchbank.errors import HistoryUnavailable
from patchbank.history.database import Database
from patchbank.history.keys import ApiKey, KeyRing
from patchbank.history.known_keys import KnownKeys
from patchbank.settings import Settings, load_settings
from tests.helpers.http_service import serving
from tests.helpers.postgres import new_database, postgres_server
from tests.helpers.tcp_proxy import proxy_to

ADMIN_KEY = "of-the-environment-" * 2


class LostRing(KeyRing):
    """A ring whose database can be taken away."""

    fault: Exception | None = None

    def usable(self) -> dict[str, tuple[ApiKey, str]]:
        if self.fault is not None:
            raise self.fault
        return super().usable()


@pytest.mark.parametrize("fault", [HistoryUnavailable("it is away"), RuntimeError("a bug")])
def test_a_reading_that_fails_keeps_what_is_known_and_is_logged_once(
    settings: Settings, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Database(settings)) as database, caplog.at_level(logging.WARNING, "patchbank"):
        ring, known = LostRing(database), KnownKeys()
        _, key = ring.create("line-3", "detect")
        watch = KeyWatch(ring, known)
        anyio.run(watch.look)
        assert known.holder(key.encode()).name == "line-3"
        ring.fault = fault
        for _ in range(3):
            anyio.run(watch.look)
            assert known.holder(key.encode()).name == "line-3"
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        ring.fault = None
        ring.revoke("line-3")
        anyio.run(watch.look)
        assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
        assert key not in caplog.text
        (listed,) = ring.all_keys()
        assert listed.used_at is not None


def test_a_line_goes_on_while_its_database_is_away_and_a_start_without_it_knows_one_key(settings: Settings) -> None:
    with postgres_server() as server, new_database(server) as url:
        address, _, name = url.rpartition("/")
        with proxy_to(int(address.rpartition(":")[2])) as proxy:
            told = load_settings(
                data_dir=settings.data_dir,
                search_workers=0,
                auth="keys",
                admin_key=ADMIN_KEY,
                history_url=f"postgresql://patchbank@127.0.0.1:{proxy.port}/{name}",
            )
            with closing(Database(told)) as database:
                ring = KeyRing(database)
                _, key = ring.create("line-3", "detect")
            headers, admin = {"X-API-Key": key}, {"X-API-Key": ADMIN_KEY}
            with serving(told) as client:
                assert client.get("/classes", headers=headers).status_code == 200
                proxy.turn("refuse")
                end = time.monotonic() + 5
                while time.monotonic() < end:
                    assert client.get("/classes", headers=headers).status_code == 200
                    time.sleep(0.1)
            with serving(told) as client:
                refused = client.get("/classes", headers=headers)
                assert (refused.status_code, refused.json()["error"]["code"]) == (503, "keys_unavailable")
                assert client.get("/classes", headers=admin).status_code == 200
                proxy.turn("pass")
                _until(lambda: client.get("/classes", headers=headers).status_code == 200)


def _until(happens: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.1)
