"""The decisions of the container pool, as pure functions."""
