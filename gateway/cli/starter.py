"""The built-in starter catalog: where it is, and its images. Must not know the flags."""

from __future__ import annotations

import importlib.resources
from pathlib import Path


def starter_catalog() -> Path:
    """The starter catalog's file. The zipapp is unpacked before it runs, so there always is one."""
    return Path(str(importlib.resources.files("catalogs"))) / "starter.yaml"
