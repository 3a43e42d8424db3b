"""How a remote server is opened: the same life as a container's, over HTTP. Must not know pools."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import trio

from actors.upstream import Opener
from gateway.catalog.model import EnabledServer, RemoteLaunch, Snapshot
from gateway.catalog.snapshot import secret_values
from gateway.errors import ConfigError, StartFailed
from gateway.ports import MessagePipe
from gateway.telemetry.log import get_logger, redact_values
from gateway.upstreams import open_remote
from gateway.upstreams.credentials import Credentials, LookUp
from gateway.upstreams.param_book import ParamHeaderBook

log = get_logger("remote")


def opener_of(server: EnabledServer, load: Callable[[], Snapshot] | None = None) -> Opener:
    """How a server with a remote launch is connected.

    Args:
        server: what is connected.
        load: reads all that is configured, in a thread: for the entry's headers once they are refused.
    """
    launch = server.launch
    if not isinstance(launch, RemoteLaunch):
        raise StartFailed(f"server {server.name} is not a remote server")

    book = ParamHeaderBook()
    credentials = Credentials(launch.headers, _look_up(server, launch, load))

    async def open_pipe() -> MessagePipe:
        return await open_remote(launch, server=server.name, book=book, credentials=credentials)

    return open_pipe


def _look_up(
    server: EnabledServer, launch: RemoteLaunch, load: Callable[[], Snapshot] | None
) -> LookUp | None:
    """How the entry's headers are filled once more; None where it has none."""
    declared = server.entry.remote.headers if server.entry.remote is not None else {}
    if load is None or not declared:
        return None

    async def look_up() -> Mapping[str, str] | None:
        try:
            # Abandoned when cancelled: it only reads.
            snapshot = await trio.to_thread.run_sync(load, abandon_on_cancel=True)
        except ConfigError as error:
            log.warning("credentials_not_looked_up", server=server.name, reason=str(error))
            return None
        found = snapshot.servers.get(server.name)
        if (
            found is None
            or not isinstance(found.launch, RemoteLaunch)
            or found.launch.url != launch.url
        ):
            # It is another server by now, whose secrets are not for this one.
            return None
        redact_values(secret_values(snapshot))
        changed = found.launch.headers != launch.headers
        log.info("credentials_looked_up", server=server.name, changed=changed)
        return found.launch.headers

    return look_up
