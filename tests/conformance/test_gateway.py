"""The official suite, unmodified, against the gateway: every run of the table, one after the other, each with fresh processes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conformance.impossible import HOLLOW
from tests.conformance.runs import Run, all_runs
from tests.conformance.suite import Report
from tests.conformance.table import failures, hollow, row

pytestmark = pytest.mark.slow

ATTEMPTS = 2
"""The suite gives some answers half a second, which a busy machine may need itself. What fails at first is printed."""


def _params() -> list[object]:
    runs = (run for run in all_runs() if run.group != "direct")
    return [
        pytest.param(
            run, id=run.name, marks=pytest.mark.engine if "container" in run.against else ()
        )
        for run in runs
    ]


@pytest.fixture(scope="module")
def possible(tmp_path_factory: pytest.TempPathFactory) -> Mapping[tuple[str, str], Report]:
    """What goes well without the gateway, by role and revision: the first run of each."""
    found: dict[tuple[str, str], Report] = {}
    for run in all_runs():
        if run.group == "direct" and (run.role, run.revision) not in found:
            found[run.role, run.revision] = run.judge(tmp_path_factory.mktemp(run.name))
    return found


@pytest.mark.parametrize("run", _params())
def test_the_suite_passes(
    run: Run, tmp_path: Path, possible: Mapping[tuple[str, str], Report]
) -> None:
    """All that is required, save what `impossible` argues; and nothing passes for want of checks, save what it names."""
    found: list[str] = []
    for attempt in range(1, ATTEMPTS + 1):
        began = time.monotonic()
        report = run.judge(tmp_path / str(attempt))
        print(row(run.what, run.against, report, time.monotonic() - began))
        found = list(failures(report, run.impossible))
        if not found:
            break
        print("\n".join(found))
    assert found == []
    poor = hollow(report, possible[run.role, run.revision])
    assert [one for one in poor if one.partition(":")[0] not in HOLLOW] == []
