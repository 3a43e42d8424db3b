"""The stage of the faults: an engine of their own, once for all of them; and the record of what was measured."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import pyz, unpacked  # noqa: F401 - fixtures
from tests.faults.door import door_before
from tests.faults.engine import own_engine
from tests.faults.report import Record
from tests.faults.stage import Stage


@pytest.fixture(scope="session")
def stage(
    engine: object,
    unpacked: Path,  # noqa: F811 - the fixture
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    """An engine that may be hurt. The tests' own engine tells that this machine can run one."""
    with own_engine() as hurt, door_before(hurt.socket) as door:
        yield Stage(hurt, door, tmp_path_factory.mktemp("stage"), unpacked)


@pytest.fixture(scope="session")
def record() -> Record:
    """What the cells take; written to `$MCPGW_FAULTS_RECORD`."""
    path = os.environ.get("MCPGW_FAULTS_RECORD")
    return Record(Path(path) if path else None)
