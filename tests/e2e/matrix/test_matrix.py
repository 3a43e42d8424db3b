"""Published clients, of both eras and over every transport, with servers of both eras: each does all that it can."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.targets import Upstream
from tests.e2e.matrix.cells import CLIENTS, REVISIONS, SERVERS, Era, Row, Server, rows_of
from tests.e2e.matrix.houses import Houses
from tests.e2e.matrix.lanes import Bare, Lanes, Run, open_lanes
from tests.e2e.matrix.programs import Report
from tests.e2e.matrix.table import PAGE, replaced


@pytest.fixture(scope="module")
def lanes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, unpacked: Path
) -> Iterator[Lanes]:
    """All programs that this run asks for, under way; gateways are opened as they are needed."""
    bare: list[Bare] = []
    runs: list[Run] = []
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.module is request.module and _uses(item):
            asked = item.callspec.params
            if "row" in asked:
                runs.append((asked["row"], asked["upstream"]))
                bare.append((asked["row"].client, asked["row"].era))
            else:
                bare.append((asked["client"], asked["era"]))
    with (
        Houses(tmp_path_factory.mktemp("matrix"), unpacked) as houses,
        open_lanes(houses, bare, runs) as found,
    ):
        yield found


def _uses(item: pytest.Function) -> bool:
    return "lanes" in item.fixturenames


def cells(upstream: Upstream) -> pytest.MarkDecorator:
    """A case per row and server."""
    found = [(row, server, upstream) for row in rows_of(upstream) for server in SERVERS]
    names = [f"{row}-{server}" for row, server, _ in found]
    return pytest.mark.parametrize(("row", "server", "upstream"), found, ids=names)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("client", "era"),
    [(name, era) for name, client in CLIENTS.items() for era in client.transports],
)
def test_a_client_does_it_without_a_gateway(lanes: Lanes, client: str, era: Era) -> None:
    """So that what fails behind one is the gateway's."""
    check(lanes.bare(client, era), client, era)


@pytest.mark.slow
@cells("process")
def test_a_server_that_is_a_process(
    lanes: Lanes, row: Row, server: Server, upstream: Upstream
) -> None:
    """All steps, and the client is told what the server would have told it."""
    report = seen(lanes, row, server, upstream)
    check(report, row.client, row.era)
    compare(report, lanes.bare(row.client, row.era))


@pytest.mark.slow
@pytest.mark.usefixtures("engine", "real_image")
@cells("container")
def test_a_server_in_a_container(
    lanes: Lanes, row: Row, server: Server, upstream: Upstream
) -> None:
    """The same."""
    report = seen(lanes, row, server, upstream)
    check(report, row.client, row.era)
    compare(report, lanes.bare(row.client, row.era))


@pytest.mark.slow
@cells("http")
def test_a_server_over_http(lanes: Lanes, row: Row, server: Server, upstream: Upstream) -> None:
    """The same."""
    report = seen(lanes, row, server, upstream)
    check(report, row.client, row.era)
    compare(report, lanes.bare(row.client, row.era))


def test_the_page_has_the_table() -> None:
    """`python -m tests.e2e.matrix` writes it."""
    page = PAGE.read_text(encoding="utf-8")
    assert replaced(page) == page


def seen(lanes: Lanes, row: Row, server: Server, upstream: Upstream) -> Report:
    """The client's report; that of a second run where it had read so late that it missed more than the last of progress."""
    report = lanes.report(row, server, upstream)
    late = CLIENTS[row.client].may_miss_late_reports and report.get("progress") in _READ_LATE
    return lanes.again(row, server, upstream) if late else report


def check(report: Report, client: str, era: Era) -> None:
    """Every step that the client can do came out well, in its era."""
    assert "error" not in report, report
    assert report["revision"] in (REVISIONS[era], None)  # the inspector does not say
    steps = CLIENTS[client].steps
    assert set(report) == {"revision", *steps}
    wrong = {step: report[step] for step in steps if not FULFILLED[step](report[step])}
    if CLIENTS[client].may_miss_late_reports and wrong.get("progress") == _REPORTS[:-1]:
        del wrong["progress"]
    assert not wrong, wrong


def compare(report: Report, bare: Report) -> None:
    """Names, schemas and contents are the server's own; the order of lists is the gateway's."""
    assert _ordered(report["list"]) == _ordered(bare["list"])
    assert _content(report["call"]) == _content(bare["call"])


def _ordered(lists: Mapping[str, Any]) -> Mapping[str, Any]:
    return {what: sorted(found, key=lambda one: str(one["name"])) for what, found in lists.items()}


def _content(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without what says who answered."""
    return {name: value for name, value in result.items() if name != "_meta"}


def _lists_all(lists: Any) -> bool:
    return "error" not in lists and all(lists.values())


def _has_three_kinds(result: Any) -> bool:
    return [part["type"] for part in result.get("content", ())] == ["text", "image", "resource"]


_REPORTS = [[0, 100], [50, 100], [100, 100]]
_READ_LATE = (_REPORTS[:0], _REPORTS[:1])

FULFILLED: Mapping[str, Callable[[Any], bool]] = {
    "list": _lists_all,
    "call": _has_three_kinds,
    "progress": lambda reports: reports == _REPORTS,
    "cancel": lambda found: found == {"told": True, "goes on": True},
    "elicit": lambda found: found == {"questions": ["What is your name?"], "text": "Hello, Ada!"},
    "subscribe": lambda found: found == {"updated": "test://watched-resource"},
}
