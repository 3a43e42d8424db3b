"""What npm installs for the tests is the same everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.npm import LOCKS, lock_of


@pytest.mark.parametrize("path", sorted(LOCKS.glob("*.json")), ids=lambda path: path.stem)
def test_each_package_has_a_hash_and_no_address(path: Path) -> None:
    """A registry may be anybody's; what comes from it may not."""
    packages = json.loads(path.read_text(encoding="utf-8"))["packages"]
    assert len(packages) > 1
    for name, entry in packages.items():
        assert not name or entry["integrity"].startswith("sha512-"), name
        assert "resolved" not in entry, name


def test_packages_without_a_lock_are_not_installed() -> None:
    """The error says how to make one."""
    with pytest.raises(LookupError, match=r"python -m tests\.npm"):
        lock_of(["left-pad@1.0.0"])
