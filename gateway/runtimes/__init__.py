"""Runtimes: places where servers run. A new one is a module here and a line in this table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.catalog.model import ContainerLaunch, ProcessLaunch

RUNTIMES: Final[Mapping[type[ContainerLaunch | ProcessLaunch], str]] = {
    ContainerLaunch: "docker",
    ProcessLaunch: "process",
}
"""The runtime's kind for each kind of launch; `choice.RuntimeByLaunch` takes them by it."""
