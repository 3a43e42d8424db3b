"""Published clients, of both eras and over every transport, with servers of both eras: each does all that it can."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.targets import Upstream
from tests.e2e.matrix.cells import (
    CLIENTS,
    REVISIONS,
    SERVERS,
    Era,
    Row,
    Server,
    rows_of,
)
from tests.e2e.matrix.houses import Houses
from tests.e2e.matrix.programs import Report, reports
from tests.e2e.matrix.table import PAGE, replaced

SERVER_OF: Mapping[Era, Server] = {"legacy": "legacy_only", "modern": "modern_only"}
"""What a client is compared with: a server that it understands without a gateway."""

Runs = Callable[[Row, Upstream], Mapping[Server, Report]]
Bare = Callable[[str, Era], Report]


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory, unpacked: Path) -> Iterator[Houses]:
    """The gateways, as they are asked for."""
    with Houses(tmp_path_factory.mktemp("matrix"), unpacked) as found:
        yield found


@pytest.fixture(scope="module")
def runs(houses: Houses) -> Runs:
    """What a client of a row reports of all servers; its program runs once."""

    @cache
    def run(row: Row, upstream: Upstream) -> Mapping[Server, Report]:
        steps = CLIENTS[row.client].steps
        targets = [houses.target(row, server, upstream, steps) for server in SERVERS]
        return dict(zip(SERVERS, reports(row.client, row.era, targets), strict=True))

    return run


@pytest.fixture(scope="module")
def bare(houses: Houses) -> Bare:
    """What a client reports of a server that it is connected to without a gateway."""

    @cache
    def run(client: str, era: Era) -> Report:
        target = houses.bare(SERVER_OF[era], CLIENTS[client].steps)
        return reports(client, era, [target])[0]

    return run


def cells(upstream: Upstream) -> pytest.MarkDecorator:
    """A case per row and server."""
    found = [(row, server) for row in rows_of(upstream) for server in SERVERS]
    names = [f"{row}-{server}" for row, server in found]
    return pytest.mark.parametrize(("row", "server"), found, ids=names)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("client", "era"),
    [(name, era) for name, client in CLIENTS.items() for era in client.transports],
)
def test_a_client_does_it_without_a_gateway(bare: Bare, client: str, era: Era) -> None:
    """So that what fails behind one is the gateway's."""
    check(bare(client, era), client, era)


@pytest.mark.slow
@cells("process")
def test_a_server_that_is_a_process(runs: Runs, bare: Bare, row: Row, server: Server) -> None:
    """All steps, and the client is told what the server would have told it."""
    check(runs(row, "process")[server], row.client, row.era)
    compare(runs(row, "process")[server], bare(row.client, row.era))


@pytest.mark.slow
@pytest.mark.usefixtures("engine", "real_image")
@cells("container")
def test_a_server_in_a_container(runs: Runs, bare: Bare, row: Row, server: Server) -> None:
    """The same."""
    check(runs(row, "container")[server], row.client, row.era)
    compare(runs(row, "container")[server], bare(row.client, row.era))


@pytest.mark.slow
@cells("http")
def test_a_server_over_http(runs: Runs, bare: Bare, row: Row, server: Server) -> None:
    """The same."""
    check(runs(row, "http")[server], row.client, row.era)
    compare(runs(row, "http")[server], bare(row.client, row.era))


def test_the_page_has_the_table() -> None:
    """`python -m tests.e2e.matrix` writes it."""
    page = PAGE.read_text(encoding="utf-8")
    assert replaced(page) == page


def check(report: Report, client: str, era: Era) -> None:
    """Every step that the client can do came out well, in its era."""
    assert "error" not in report, report
    assert report["revision"] in (REVISIONS[era], None)  # the inspector does not say
    steps = CLIENTS[client].steps
    assert set(report) == {"revision", *steps}
    wrong = {step: report[step] for step in steps if not FULFILLED[step](report[step])}
    if CLIENTS[client].may_miss_late_reports and wrong.get("progress") in _EARLY_REPORTS:
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
_EARLY_REPORTS = [_REPORTS[:1], _REPORTS[:2]]

FULFILLED: Mapping[str, Callable[[Any], bool]] = {
    "list": _lists_all,
    "call": _has_three_kinds,
    "progress": lambda reports: reports == _REPORTS,
    "cancel": lambda found: found == {"told": True, "goes on": True},
    "elicit": lambda found: found == {"questions": ["What is your name?"], "text": "Hello, Ada!"},
    "subscribe": lambda found: found == {"updated": "test://watched-resource"},
}
