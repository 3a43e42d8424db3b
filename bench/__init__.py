"""Measures the gateway beside its peers. Results are data; docs/performance.md shows them as tables."""
