"""Runs the programs of clients ahead of the tests that ask for their reports: one of each era at a time.

Two at once of the modern era, which has no sessions, would be one caller to a gateway that asks for no token. Must not know
what the reports mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from tests.conformance.targets import Upstream
from tests.e2e.matrix.cells import CLIENTS, REVISIONS, SERVERS, Era, Row, Server
from tests.e2e.matrix.houses import Houses
from tests.e2e.matrix.programs import Report, reports

SERVER_OF: Mapping[Era, Server] = {"legacy": "legacy_only", "modern": "modern_only"}
"""What a client is compared with: a server that it understands without a gateway."""

Run = tuple[Row, Upstream]
"""A program that meets all servers, reached in one way."""
Bare = tuple[str, Era]
"""A client that is connected to its server without a gateway."""


class Lanes:
    """Programs under way. Made by `open_lanes`."""

    def __init__(
        self,
        houses: Houses,
        pools: Mapping[Era, ThreadPoolExecutor],
        bare: Iterable[Bare],
        runs: Iterable[Run],
    ) -> None:
        self._houses = houses
        self._pools = pools
        self._bare: dict[Bare, Future[Report]] = {
            asked: pools[asked[1]].submit(self._play_bare, *asked) for asked in dict.fromkeys(bare)
        }
        self._runs: dict[Run, Future[Mapping[Server, Report]]] = {
            asked: pools[asked[0].era].submit(self._play, *asked) for asked in dict.fromkeys(runs)
        }

    def report(self, row: Row, server: Server, upstream: Upstream) -> Report:
        """What a client reports of a server behind the gateway; raises where its program failed."""
        return self._runs[row, upstream].result()[server]

    def again(self, row: Row, server: Server, upstream: Upstream) -> Report:
        """The same from a further run of its program, behind all others of its era."""
        return self._pools[row.era].submit(self._play, row, upstream).result()[server]

    def bare(self, client: str, era: Era) -> Report:
        """What it reports of a server that it is connected to without one."""
        return self._bare[client, era].result()

    def _play(self, row: Row, upstream: Upstream) -> Mapping[Server, Report]:
        steps = CLIENTS[row.client].steps
        targets = [self._houses.target(row, server, upstream, steps) for server in SERVERS]
        return dict(zip(SERVERS, reports(row.client, row.era, targets), strict=True))

    def _play_bare(self, client: str, era: Era) -> Report:
        target = self._houses.bare(SERVER_OF[era], CLIENTS[client].steps)
        return reports(client, era, [target])[0]


@contextmanager
def open_lanes(houses: Houses, bare: Iterable[Bare], runs: Iterable[Run]) -> Iterator[Lanes]:
    """Begins to run them. What has not begun at the end of the block does not run."""
    pools: dict[Era, ThreadPoolExecutor] = {era: ThreadPoolExecutor(1) for era in REVISIONS}
    try:
        yield Lanes(houses, pools, bare, runs)
    finally:
        for pool in pools.values():
            pool.shutdown(cancel_futures=True)
