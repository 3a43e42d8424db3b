"""The containers of gateways that an engine has, for `doctor --leaks`. Changes nothing; must not know other checks."""

from __future__ import annotations

import msgspec

from gateway.cli.verbs import Invocation
from gateway.runtimes.docker_api import DockerApi
from gateway.runtimes.engine_endpoint import locate_engine


class Leak(msgspec.Struct, frozen=True):
    """A container with the labels of a gateway. `own`: it belongs to this home."""

    container: str
    server: str
    state: str
    home: str
    own: bool


def find_leaks(invocation: Invocation) -> tuple[Leak, ...]:
    """The containers of all gateways on the engine, those of running gateways as well.

    Raises:
        EngineUnreachable: with the fix.
    """
    own = invocation.home().identity()
    api = DockerApi(locate_engine(invocation.environ))
    try:
        return tuple(
            Leak(found.name, found.server, found.state, found.home_id, found.home_id == own)
            for found in api.find()
        )
    finally:
        api.close()
