"""Every run of the suite that is worth its time, as a table: against the fixtures, and against the gateway around them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from tests.clients import client_venv
from tests.conformance.driver import DOWNSTREAM
from tests.conformance.impossible import IMPOSSIBLE, Impossible
from tests.conformance.suite import REVISIONS, Report, judge_client, judge_server
from tests.conformance.targets import SDK, UPSTREAMS, Fixture, fronted, served

Group = Literal["direct", "server", "crossed", "client"]
GROUPS: Final[tuple[Group, ...]] = ("direct", "server", "crossed", "client")
"""`direct`: the fixtures and the client alone, which shows that a failure is the gateway's. `server`: the gateway, era
kept. `crossed`: the gateway as a bridge between the eras. `client`: the gateway in front of the suite's own servers."""

CLIENT_SCENARIOS: Final = {
    "2025-11-25": (
        "initialize",
        "tools_call",
        "elicitation-sep1034-client-defaults",
        "sse-retry",
    ),
    "2026-07-28": (
        "tools_call",
        "request-metadata",
        "sep-2322-client-request-state",
        "http-standard-headers",
        "http-custom-headers",
        "http-invalid-tool-headers",
        "json-schema-ref-no-deref",
    ),
}
"""Those that the suite requires, without `auth/`: these need somebody who consents."""

_TOO_MUCH_FOR_THE_CLIENT: Final = ("sep-2322-client-request-state",)
"""It sends a result without `resultType`, which clients must take for complete, and PyPI `mcp` 2.3.0 refuses. Behind the
gateway, which adds the field, it runs."""

LEGACY, MODERN = REVISIONS


class Run(msgspec.Struct, frozen=True):
    """One line of the table.

    `impossible`: scenarios that cannot pass there. `what`: who is tested. `against`: the fixture and how it is reached. `judge` does it, with a folder for what it writes.
    """

    group: Group
    what: str
    against: str
    revision: str
    judge: Callable[[Path], Report]
    impossible: Mapping[str, Impossible] = {}

    @property
    def role(self) -> str:
        """Which side of the suite judges."""
        return "client" if self.against == "suite" else "server"

    @property
    def name(self) -> str:
        """For people and for folders."""
        return f"{self.what} {self.against} {self.revision}".replace(" ", "-")


def all_runs() -> Iterator[Run]:
    """In the order in which a failure explains later ones."""
    yield from _direct()
    for upstream in UPSTREAMS:
        for revision in REVISIONS:
            yield _gateway("server", "everything", upstream, revision)
    for upstream in UPSTREAMS:
        yield _gateway("crossed", "legacy_only", upstream, MODERN)
        yield _gateway("crossed", "modern_only", upstream, LEGACY)
    command = [sys.executable, "-m", "tests.conformance.driver"]
    for revision in REVISIONS:
        yield _client("client", "gateway", command, revision)


def _direct() -> Iterator[Run]:
    fixtures: tuple[tuple[Fixture, str], ...] = (
        ("everything", LEGACY),
        ("everything", MODERN),
        ("legacy_only", LEGACY),
        ("modern_only", MODERN),
    )
    for fixture, revision in fixtures:
        yield Run("direct", "fixture", fixture, revision, _judge_fixture(fixture, revision))
    command = [str(client_venv(SDK)), str(DOWNSTREAM)]
    for revision in REVISIONS:
        yield _client("direct", "client", command, revision, without=_TOO_MUCH_FOR_THE_CLIENT)


def _judge_fixture(fixture: Fixture, revision: str) -> Callable[[Path], Report]:
    def judge(folder: Path) -> Report:
        with served(fixture, folder) as url:
            return judge_server(url, revision, folder / "results")

    return judge


def _gateway(group: Group, fixture: Fixture, upstream: str, revision: str) -> Run:
    def judge(folder: Path) -> Report:
        with fronted(fixture, upstream, folder / "place") as url:
            return judge_server(url, revision, folder / "results")

    impossible = IMPOSSIBLE.get((fixture, revision), {})
    return Run(group, "gateway", f"{fixture} {upstream}", revision, judge, impossible)


def _client(
    group: Group, what: str, command: list[str], revision: str, without: tuple[str, ...] = ()
) -> Run:
    names = [name for name in CLIENT_SCENARIOS[revision] if name not in without]

    def judge(folder: Path) -> Report:
        return judge_client(command, revision, names, folder / "results")

    return Run(group, what, "suite", revision, judge)
