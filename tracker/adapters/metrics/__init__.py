"""Metrics in the form of Prometheus: what was counted (`counters`), how things stand (`gauges`), the page of both."""
