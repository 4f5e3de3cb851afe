"""Measurements anyone can run; each prints ratios of one run."""
