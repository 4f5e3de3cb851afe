"""The dashboard's queries and the rules, with the names of the series that they read."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

MONITORING: Final = Path(__file__).parents[2] / "monitoring"
DASHBOARD: Final = MONITORING / "grafana" / "dashboards" / "patchbank.json"
RULES: Final = tuple(sorted((MONITORING / "rules").glob("*.yml")))

QDRANT_METRICS: Final = frozenset(
    {
        "cluster_peers_total",
        "collection_dead_replicas",
        "collection_running_optimizations",
        "collections_total",
        "collections_vector_total",
        "grpc_responses_duration_seconds_bucket",
        "grpc_responses_fail_total",
        "grpc_responses_total",
        "memory_resident_bytes",
    }
)
"""Metrics of a Qdrant node of version 1.16 or newer that are used here (qdrant.tech, Monitoring & Telemetry)."""

_WORDS: Final = frozenset({"and", "or", "unless", "offset", "bool", "inf", "nan"})


@dataclass(frozen=True)
class Query:
    """One query of one panel, as Grafana sends it, except for its variables."""

    panel: str
    datasource: str
    expr: str

    def plain(self, rate_interval: str = "1m", class_name: str = ".*") -> str:
        """PromQL: Grafana's variables replaced."""
        return self.expr.replace("$__rate_interval", rate_interval).replace("$class", class_name)


def dashboard_queries() -> list[Query]:
    """Every query of every panel."""
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return [
        Query(panel["title"], target["datasource"]["uid"], target["expr"])
        for panel in board["panels"]
        for target in panel.get("targets", ())
    ]


def rules() -> list[dict[str, Any]]:
    """Every recording and alert rule."""
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def metric_names(expr: str) -> set[str]:
    """Names of the series that a PromQL expression reads."""
    text = re.sub(r'"[^"]*"', '""', expr)
    text = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", text)
    text = re.sub(r"\boffset\s+\w+", " ", text)
    names = re.findall(r"(?<![\w.:])([A-Za-z_:][\w:]*)(?!\w|:|\s*\()", text)
    return {name for name in names if name.lower() not in _WORDS}
