"""Series of what the service keeps in memory of a Qdrant server's patches."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from patchbank.bank.store import CacheState

_NOTHING = CacheState(parts=0, size=0, limit=0, found=0, missed=0)


class CacheSeries(Collector):
    """Reads the state at every scrape. Zeros until there is a store to ask, and where it keeps nothing."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.read: Callable[[], CacheState | None] = lambda: None
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """The series now."""
        state = self.read() or _NOTHING
        yield GaugeMetricFamily(
            "patchbank_patch_cache_bytes", "Patches of the Qdrant server that are kept in memory.", state.size
        )
        yield GaugeMetricFamily("patchbank_patch_cache_limit_bytes", "Most bytes of them.", state.limit)
        yield GaugeMetricFamily("patchbank_patch_cache_parts", "Parts of banks that are kept in memory.", state.parts)
        searches = CounterMetricFamily(
            "patchbank_part_searches", "Searches of a part of a bank on a Qdrant server.", labels=["answered_by"]
        )
        searches.add_metric(["memory"], state.found)
        searches.add_metric(["server"], state.missed)
        yield searches
