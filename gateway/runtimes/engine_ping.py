"""Asks an engine for as little as there is: whether it answers. Must not know docker-py, whose threads may all be waiting."""

from __future__ import annotations

import trio

from gateway.runtimes.dial import dial
from gateway.runtimes.engine_endpoint import Endpoint
from gateway.runtimes.engine_http import get


async def ping(endpoint: Endpoint) -> None:
    """Returns once the engine has answered, on a connection of its own. The deadline is the caller's.

    Raises:
        EngineUnreachable: nobody does.
        Refused: it answers with an error.
    """
    stream = await dial(endpoint)
    try:
        await get(stream, "/_ping")
    finally:
        await trio.aclose_forcefully(stream)
