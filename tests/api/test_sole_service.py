"""One service per data directory of an embedded store; commands and a Qdrant server's services are not bound."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from patchbank.api.app import create_app
from patchbank.api.sole_service import sole_service
from patchbank.errors import DataDirInUse
from patchbank.settings import Settings, load_settings
from tests.helpers.command_line import indexer_json
from tests.helpers.http_service import serving
from tests.helpers.pictures import folder_of


def start_and_stop(settings: Settings) -> None:
    app = create_app(settings)

    async def run() -> None:
        async with app.router.lifespan_context(app):
            pass

    anyio.run(run)


def test_a_second_service_on_a_data_directory_is_refused_until_the_first_has_stopped(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data", search_workers=0)
    with serving(settings) as client:
        with pytest.raises(DataDirInUse, match="another service runs on the data directory") as caught:
            start_and_stop(settings)
        assert caught.value.code == "data_dir_in_use"
        indexer_json("add", "part", folder_of(tmp_path / "in", 3), "--keep-all", data=tmp_path / "data")
        assert client.get("/classes/part").json()["references"] == 3, "commands go on working beside it"
    start_and_stop(settings)


def test_services_on_a_qdrant_server_hold_nothing(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, qdrant_url="http://127.0.0.1:1")
    with sole_service(settings), sole_service(settings):
        assert not list(tmp_path.iterdir())
