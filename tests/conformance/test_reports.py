"""What the suite writes down is read for what it is, and shown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.conformance.impossible import IMPOSSIBLE, Impossible
from tests.conformance.suite import Report, Scenario, read_checks, read_results
from tests.conformance.table import failures, hollow, row

STAMP = "2026-11-22T20-56-20-056Z"


def check(status: str, **fields: object) -> dict[str, object]:
    """A check as the suite writes it."""
    return {"id": "some-check", "status": status, "description": "Something holds", **fields}


def write(folder: Path, name: str, checks: Sequence[Mapping[str, object]]) -> None:
    """A scenario's results, where the suite puts them."""
    place = folder / f"{name}-{STAMP}"
    place.mkdir()
    (place / "checks.json").write_text(json.dumps(checks))


def test_checks_are_counted_by_status() -> None:
    """Neither information nor a skipped check counts."""
    checks = [check(status) for status in ("SUCCESS", "SUCCESS", "WARNING", "INFO", "SKIPPED")]
    scenario = read_checks("ping", checks, required=True)
    assert (scenario.succeeded, scenario.failed, scenario.warned) == (2, 0, 1)
    assert scenario.passed


def test_a_complaint_is_found_wherever_the_suite_puts_it() -> None:
    """In the error, else in the details, else only in what the check is about."""
    failing = [
        check("FAILURE", errorMessage="It does not."),
        check("FAILURE", details={"message": "Nobody came."}),
        check("FAILURE", details={"other": 1}),
    ]
    assert read_checks("ping", failing, required=True).complaints == (
        "some-check: It does not.",
        "some-check: Nobody came.",
        "some-check: Something holds",
    )


def test_results_come_in_the_suites_order_and_unscored_ones_last(tmp_path: Path) -> None:
    """Names of folders have the suite's prefix, which some scenarios begin with as well."""
    for name in ("server-ping", "server-server-initialize", "server-extra"):
        write(tmp_path, name, [check("SUCCESS")])
    found = list(read_results(tmp_path, ["server-initialize", "ping"]))
    assert [scenario.name for scenario in found] == ["server-initialize", "ping", "extra"]
    assert [scenario.required for scenario in found] == [True, True, False]


def test_a_required_scenario_without_results_has_failed(tmp_path: Path) -> None:
    """A suite that breaks off passes nothing."""
    (scenario,) = read_results(tmp_path, ["ping"])
    assert not scenario.passed
    assert scenario.complaints == ("left no results",)


def test_a_run_is_one_line() -> None:
    """Only required scenarios are in its numbers of checks."""
    report = Report(
        "2025-11-25",
        (
            Scenario("ping", required=True, succeeded=2),
            Scenario("tools-list", required=True, failed=1, warned=1, complaints=("a: b",)),
            Scenario("extra", required=False, succeeded=9),
        ),
    )
    shown = " ".join(row("gateway", "everything http", report, 2.4).split())
    assert shown == "gateway everything http 2025-11-25 1/2 2+1- 1 1/1 2 s"
    assert list(failures(report, {})) == ["tools-list: a: b"]


def test_a_failing_scenario_is_one_line() -> None:
    """One broken thing fails many checks."""
    scenario = Scenario("ping", required=True, failed=5, complaints=("x" * 1000, *"abcd"))
    (said,) = failures(Report("2025-11-25", (scenario,)), {})
    assert said == f"ping: {'x' * 160} (and 4 more)"


def test_a_pass_with_fewer_checks_than_possible_is_noted() -> None:
    """An error early in a scenario can leave out what would have failed."""
    best = Report("2025-11-25", (Scenario("polling", required=True, succeeded=3),))
    poor = Report("2025-11-25", (Scenario("polling", required=True, succeeded=1, warned=2),))
    assert list(hollow(best, best)) == []
    assert list(hollow(poor, best)) == ["polling: passes with 1 checks of 3, 2 warnings"]


def test_what_cannot_pass_may_fail_and_may_not_pass() -> None:
    """The table of impossible scenarios is held to the results, both ways."""
    wrong = Scenario("a", required=True, failed=1, complaints=("a: b",))
    right = Scenario("b", required=True, succeeded=1)
    reason = Impossible("a clause", "something else")
    report = Report("2026-07-28", (wrong, right))
    assert list(failures(report, {"a": reason})) == []
    assert list(failures(report, {"a": reason, "b": reason})) == [
        "b: passes, so that it is not impossible"
    ]


def test_what_is_impossible_is_argued_in_the_documentation() -> None:
    """Scenario, clause, and what a user sees."""
    page = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
    for table in IMPOSSIBLE.values():
        for name, reason in table.items():
            assert f"| `{name}` | {reason.clause} | {reason.instead} |" in page
