"""The stage of the faults: an engine of their own, once for all of them; and the record of what was measured."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.conftest import pyz, unpacked  # noqa: F401 - fixtures
from tests.faults.door import door_before
from tests.faults.engine import own_engine
from tests.faults.lanes import LANES, Lanes, open_lanes
from tests.faults.report import Record
from tests.faults.stage import Stage

_missing: list[pytest.Item] = []
"""The tests that are not run, because no engine of their own can be started here."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Takes out what needs an engine of its own where none can be started."""
    if os.geteuid() == 0 and shutil.which("unshare"):
        return
    _missing.extend(
        item for item in items if {"stage", "stages"} & set(getattr(item, "fixturenames", ()))
    )
    items[:] = [item for item in items if item not in _missing]
    config.hook.pytest_deselected(items=_missing)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says in one line what was not run, and why."""
    if _missing:
        reason = "they start an engine of their own, which takes root"
        terminalreporter.write_line(f"NOT RUN: {len(_missing)} faults: {reason}", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Missing tests fail the run under CI."""
    if _missing and os.environ.get("CI") == "true":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


_RECORD: Final = os.environ.get("MCPGW_FAULTS_RECORD")
"""Where times are written to, if anywhere."""


@pytest.fixture(scope="session")
def stages(
    engine: object,  # that it is there tells that this machine has dockerd
    unpacked: Path,  # noqa: F811 - the fixture
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[list[Stage]]:
    """Places to play, on an engine that may be hurt."""
    with own_engine() as hurt, door_before(hurt.socket) as door:
        yield [
            Stage(hurt, door, tmp_path_factory.mktemp("stage"), unpacked)
            for _ in range(1 if _RECORD else LANES)
        ]


@pytest.fixture(scope="session")
def stage(stages: list[Stage]) -> Stage:
    """One of them."""
    return stages[0]


@pytest.fixture(scope="session")
def lanes(request: pytest.FixtureRequest, stages: list[Stage]) -> Iterator[Lanes]:
    """All cells that this run asks for, under way."""
    items = (item for item in request.session.items if isinstance(item, pytest.Function))
    cells = [item.callspec.params["cell"] for item in items if "cell" in item.fixturenames]
    with open_lanes(stages, cells) as found:
        yield found


@pytest.fixture(scope="session")
def record() -> Record:
    """What the cells take; written to `$MCPGW_FAULTS_RECORD`."""
    return Record(Path(_RECORD) if _RECORD else None)
