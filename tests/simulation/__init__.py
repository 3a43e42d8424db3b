"""The whole actor system in simulated time, driven by a seed; see docs/reliability.md.

`python -m tests.simulation --seeds 1000` runs seeds, `--seed N` replays one and tells what happened.
"""
