"""Prometheus and Grafana: configuration, and what checks it."""
