"""Measures the gateway beside its peers. Results are data; docs/performance.md shows them as tables.

`floors` is what no gateway can beat, `load` is what calls, `subjects` what is called. Knows the gateway only as a program.
"""
