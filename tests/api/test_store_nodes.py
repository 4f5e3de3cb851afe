"""``/health`` tells which nodes of the Qdrant server answer, and not where they are."""

from __future__ import annotations

import time
from pathlib import Path

from patchbank.settings import load_settings
from tests.helpers.grpc_qdrant import Behaviour, serving_qdrant
from tests.helpers.http_service import serving
from tests.helpers.tcp_proxy import proxy_to


def test_health_tells_of_each_node_and_is_degraded_while_one_is_away(tmp_path: Path) -> None:
    with (
        serving_qdrant() as first,
        serving_qdrant(Behaviour(), like=first.qdrant) as second,
        proxy_to(first.port) as proxy,
    ):
        url = f"http://127.0.0.1?grpc_port={proxy.port},http://127.0.0.1?grpc_port={second.port}"
        settings = load_settings(data_dir=tmp_path / "data", qdrant_url=url, backbone="efficientnet-lite2")
        with serving(settings) as client:
            whole = client.get("/health").json()
            assert (whole["status"], [node["answers"] for node in whole["store_nodes"]]) == ("ok", [True, True])
            proxy.turn("refuse")
            assert client.get("/health/ready").status_code == 200
            health = client.get("/health")
            assert health.json()["status"] == "degraded"
            away, there = health.json()["store_nodes"]
            assert (away["node"], away["answers"], there["answers"]) == (1, False, True)
            assert away["away_for_s"] >= 0.0
            assert there["away_for_s"] is None
            assert str(proxy.port) not in health.text
            proxy.turn("pass")
            end = time.monotonic() + 20.0
            while client.get("/health").json()["status"] != "ok" and time.monotonic() < end:
                time.sleep(0.1)
            assert client.get("/health").json()["status"] == "ok"
