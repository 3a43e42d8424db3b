"""Listens, accepts and stops: serves an ASGI application on sockets of our own, the hot part of it by the fast lane.

Hypercorn's worker does none of that here: it cannot be handed listeners that bound a stalled reader, and one failed
connection would end it.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import trio

from gateway import limits
from gateway.errors import OptionError
from gateway.telemetry.log import get_logger
from gateway.transports.asgi_call import App
from gateway.transports.bind import open_sockets
from gateway.transports.connection import Connection
from gateway.transports.connections import BoundedListener, ConnectionPool
from gateway.transports.deadlines import Deadline, Sweeper
from gateway.transports.front import Front
from gateway.transports.inflow import open_switchboard
from gateway.transports.outflow import Stream

if TYPE_CHECKING:
    from gateway.transports.hypercorn_bridge import Hypercorn

Address = tuple[str, int]
"""Where a listener really is: the bound address and port."""

_BRIDGE: Final = "gateway.transports.hypercorn_bridge"
_log = get_logger("http")


async def serve_http(
    app: App,
    *,
    lane: Front | None,
    hosts: Sequence[str],
    port: int,
    stop: trio.Event,
    tls_cert: str = "",
    tls_key: str = "",
    task_status: trio.TaskStatus[tuple[Address, ...]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Listens on `port` of every host and serves `app`, with HTTPS where a certificate is given.

    What the fast lane takes, it serves from `lane`, which says what `app` says; None switches it off.

    Once `stop` is set nothing more is accepted; it returns when no client has anything more to get. Requests under way
    are finished; their callers' deadlines, and whoever ends the streams of `app`, bound that. How long clients may take
    to read is the caller's to bound.

    Cancellation: every connection is cut at once, whatever it was doing.

    Raises:
        OptionError: a host, the port, or the certificate cannot be used.
    """
    context = None if not tls_cert else _tls(tls_cert, tls_key)
    http = _Http(app, lane)
    switchboard = open_switchboard()
    pool = ConnectionPool(switchboard=switchboard)
    # In a thread: names are looked up, and where a port is taken, its owner.
    sockets = await trio.to_thread.run_sync(open_sockets, hosts, port)
    listeners = [
        BoundedListener(trio.SocketListener(trio.socket.from_stdlib_socket(listening)), pool)
        for listening in sockets
    ]
    addresses = tuple(listening.getsockname()[:2] for listening in sockets)
    async with trio.open_nursery() as connections:
        connections.start_soon(http.sweeper.run)
        if switchboard is not None:
            connections.start_soon(switchboard.run)
        try:
            async with trio.open_nursery() as accepting:
                for listener in listeners:
                    accepting.start_soon(
                        partial(
                            trio.serve_listeners,
                            http.serve,
                            [_secured(listener, context)],
                            handler_nursery=connections,
                        )
                    )
                accepting.start_soon(http.hypercorn)
                task_status.started(addresses)
                await stop.wait()
                accepting.cancel_scope.cancel()
            await http.finish()
            await http.said()
            with trio.move_on_after(limits.LAST_READS_S):
                await pool.wait_empty()
            await pool.wait_taken()
        finally:
            pool.abort()
        connections.cancel_scope.cancel()


class _Http:
    """What all connections of one application share."""

    def __init__(self, app: App, lane: Front | None) -> None:
        self.sweeper = Sweeper()
        self._app = app
        self._lane = lane
        self._connections: set[Connection] = set()
        self._loading = trio.Lock()
        self._hypercorn: Hypercorn | None = None
        self._clients_fault: tuple[type[Exception], ...] = ()
        """What hypercorn falls over when a client breaks the rules in the middle of an answer."""

    async def serve(self, stream: Stream) -> None:
        """Serves one connection to its end. What breaks it costs only itself."""
        deadline = Deadline(self.sweeper)
        connection = Connection(stream, deadline, lane=self._lane, hypercorn=self.hypercorn)
        self._connections.add(connection)
        self.sweeper.add(deadline)
        try:
            await connection.run()
        except* Exception as broken:  # noqa: BLE001 -- the edge: hypercorn's faults must not end the others
            _, ours = broken.split(self._clients_fault)
            if ours is None:
                _log.debug("connection_broken", error=broken.exceptions[0])
            else:
                _log.crash("connection_failed", ours)
        finally:
            self.sweeper.remove(deadline)
            self._connections.discard(connection)
            await trio.aclose_forcefully(stream)

    async def hypercorn(self) -> Hypercorn:
        """Hypercorn, which takes half a second to import: in a thread, beside the first requests of the lane."""
        async with self._loading:
            if self._hypercorn is None:
                bridge = await trio.to_thread.run_sync(import_module, _BRIDGE)
                self._clients_fault = (bridge.CLIENTS_FAULT,)
                self._hypercorn = bridge.Hypercorn(self._app)
        return self._hypercorn

    async def finish(self) -> None:
        """Closes idle connections now, the others after the answer under way."""
        if self._hypercorn is not None:
            await self._hypercorn.finish()
        for connection in tuple(self._connections):
            connection.finish()

    async def said(self) -> None:
        """Until nothing more will be sent to any client; after `finish`."""
        async with trio.open_nursery() as nursery:
            for connection in self._connections:
                nursery.start_soon(connection.said)


def _secured(listener: BoundedListener, context: ssl.SSLContext | None) -> trio.abc.Listener[Any]:
    if context is None:
        return listener
    return trio.SSLListener(listener, context, https_compatible=True)


def _tls(cert: str, key: str) -> ssl.SSLContext:
    """The server's TLS context, from files in PEM form.

    Raises:
        OptionError: a file cannot be read, or they are no pair.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # No h2: in hypercorn one stream whose client does not read holds up all of its connection.
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(cert, key or None)
    except ssl.SSLError as error:
        raise OptionError(
            f"--tls-cert {cert} and --tls-key {key or cert} are no certificate and its private key in "
            f"PEM form ({error.reason or 'unreadable'})"
        ) from error
    except OSError as error:
        raise OptionError(
            f"the files of --tls-cert {cert} and --tls-key {key or cert} cannot be read: {error.strerror}"
        ) from error
    return context
