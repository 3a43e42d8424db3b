"""What gateways have on the engine and in the home, for `doctor --leaks`. Changes nothing; must not know other checks.

The tests hold every gateway to the same look: after its end nothing of it may be here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

import msgspec

from gateway.errors import BackendError
from gateway.home import Home
from gateway.runtimes.docker_api import DockerApi
from gateway.runtimes.engine_endpoint import locate_engine
from gateway.runtimes.engine_facts import Found
from gateway.runtimes.ownership import gateway_lives
from gateway.runtimes.traces import TraceKind, find_traces

Owner = Literal["running", "gone", "unknown"]
"""Of the gateway that something belongs to; of other homes nothing is known."""


class Leak(msgspec.Struct, frozen=True):
    """One thing of a gateway. `own`: it belongs to this home. `left`: its gateway is gone, it should not be here."""

    kind: Literal["container", "network"] | TraceKind
    name: str
    server: str
    state: str
    home: str
    own: bool
    gateway: Owner

    @property
    def left(self) -> bool:
        """Whether it was left behind by a gateway of this home."""
        return self.gateway == "gone"


class Leaks(msgspec.Struct, frozen=True):
    """All that was found. `unseen`: why the engine could not be asked, "" where it could."""

    found: tuple[Leak, ...]
    unseen: str = ""

    @property
    def left(self) -> tuple[Leak, ...]:
        """What was left behind by gateways of this home."""
        return tuple(leak for leak in self.found if leak.left)


def find_leaks(home: Home, environ: Mapping[str, str]) -> Leaks:
    """Looks at the home's `run/` and at the containers and networks of the engine; blocking.

    What belongs to a gateway that runs is no leak, and is there as well.
    """
    own = home.identity()
    found = [
        Leak(
            trace.kind,
            trace.name,
            trace.server,
            trace.state,
            own,
            own=True,
            gateway="running" if trace.alive else "gone",
        )
        for trace in find_traces(home)
    ]
    try:
        found += _on_engine(home, DockerApi(locate_engine(environ)))
    except BackendError as error:
        return Leaks(tuple(found), unseen=str(error))
    return Leaks(tuple(found))


def _on_engine(home: Home, api: DockerApi) -> Iterator[Leak]:
    """The containers and networks of all gateways.

    Raises:
        EngineUnreachable
    """
    own = home.identity()
    asked: tuple[tuple[Literal["container", "network"], Callable[[], list[Found]]], ...] = (
        ("container", api.find),
        ("network", api.find_networks),
    )
    try:
        for kind, find in asked:
            for item in find():
                ours = item.home_id == own
                yield Leak(
                    kind,
                    item.name,
                    item.server,
                    item.state,
                    item.home_id,
                    own=ours,
                    gateway=_gateway_of(home, item) if ours else "unknown",
                )
    finally:
        api.close()


def _gateway_of(home: Home, item: Found) -> Owner:
    return "running" if gateway_lives(home, item.instance_id) else "gone"
