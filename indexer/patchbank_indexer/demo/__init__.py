"""``indexer demo``: the main job on real products, through the real API."""

from patchbank_indexer.demo.run import Demo, run_demo

__all__ = ["Demo", "run_demo"]
