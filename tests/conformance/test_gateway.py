"""The official suite, unmodified, against the gateway: every run of the table, two at a time, each with fresh processes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.conformance.impossible import HOLLOW
from tests.conformance.runs import Run, all_runs
from tests.conformance.suite import Report
from tests.conformance.table import failures, hollow, row

pytestmark = pytest.mark.slow

LANES: Final = 2
"""On two cores; most of a run is waiting."""


class Judged(NamedTuple):
    """One run: what the suite said, and how long that took."""

    report: Report
    took_s: float


def _params() -> list[object]:
    runs = (run for run in all_runs() if run.group != "direct")
    return [
        pytest.param(
            run, id=run.name, marks=pytest.mark.engine if "container" in run.against else ()
        )
        for run in runs
    ]


def judge(run: Run, folder: Path) -> Judged:
    """Does one run."""
    began = time.monotonic()
    return Judged(run.judge(folder), time.monotonic() - began)


@pytest.fixture(scope="module")
def judged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[Judged]]]:
    """All runs that this test run asks for, under way, by name; before them those without the gateway."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    asked = [item.callspec.params["run"] for item in items if "judged" in item.fixturenames]
    with ThreadPoolExecutor(LANES) as pool:
        yield {
            run.name: pool.submit(judge, run, tmp_path_factory.mktemp(run.name))
            for run in [*bare_runs().values(), *asked]
        }
        pool.shutdown(cancel_futures=True)


def bare_runs() -> Mapping[tuple[str, str], Run]:
    """Those that tell what goes well without the gateway, by role and revision: the first of each."""
    found: dict[tuple[str, str], Run] = {}
    for run in all_runs():
        if run.group == "direct":
            found.setdefault((run.role, run.revision), run)
    return found


@pytest.mark.parametrize("run", _params())
def test_the_suite_passes(run: Run, tmp_path: Path, judged: Mapping[str, Future[Judged]]) -> None:
    """All that is required, save what `impossible` argues; and nothing passes for want of checks, save what it names.

    The suite gives some answers half a second, which a busy machine may need itself: what fails at first is printed, and the
    run is done once more, alone.
    """
    told = judged[run.name].result()
    found = show(run, told)
    if found:
        wait(judged.values())
        told = judge(run, tmp_path)
        found = show(run, told)
    assert found == []
    possible = judged[bare_runs()[run.role, run.revision].name].result().report
    poor = hollow(told.report, possible)
    assert [one for one in poor if one.partition(":")[0] not in HOLLOW] == []


def show(run: Run, told: Judged) -> list[str]:
    """Prints what came of it; gives what is wrong with that."""
    print(row(run.what, run.against, told.report, told.took_s))
    found = list(failures(told.report, run.impossible))
    print("\n".join(found))
    return found
