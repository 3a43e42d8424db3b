"""Data only: the starter catalog and the sources of its servers. No module imports this; the wheel carries it."""
