"""How hard the property tests try: `HYPOTHESIS_PROFILE=thorough` for a long look."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: a shared machine's pauses are no fault of the code. No database: a run leaves nothing behind.
settings.register_profile("quick", max_examples=50, deadline=None, database=None)
settings.register_profile("thorough", max_examples=3000, deadline=None, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Many examples take longer than one: all tests in this folder are slow ones."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.slow)
