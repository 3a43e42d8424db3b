"""Serves an ASGI application on sockets of our own, through hypercorn, which only this and `websocket_stream` import.

Hypercorn speaks HTTP on each connection (`TCPServer`, looked up by name: the version is pinned, a contract test holds
it). Listening, accepting and stopping are ours: its worker cannot be handed listeners that bound a stalled reader, and
one failed connection would end it.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import trio

from gateway import limits
from gateway.errors import OptionError
from gateway.telemetry.log import get_logger
from gateway.transports.asgi_call import App
from gateway.transports.bind import open_sockets
from gateway.transports.connections import BoundedListener, ClientStream, ConnectionPool

if TYPE_CHECKING:
    from hypercorn.config import Config

Address = tuple[str, int]
"""Where a listener really is: the bound address and port."""

_Stream = ClientStream | trio.SSLStream[ClientStream]
_NO_LIMIT: Final = 2**62  # requests on one kept-alive connection
_log = get_logger("http")


async def serve_http(
    app: App,
    *,
    hosts: Sequence[str],
    port: int,
    stop: trio.Event,
    tls_cert: str = "",
    tls_key: str = "",
    task_status: trio.TaskStatus[tuple[Address, ...]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Listens on `port` of every host and serves `app`, with HTTPS where a certificate is given.

    Once `stop` is set nothing more is accepted; it returns when the last connection is closed. Requests under way are
    finished; their callers' deadlines, and whoever ends the streams of `app`, bound that.

    Cancellation: every connection is cut at once, whatever it was doing.

    Raises:
        OptionError: a host, the port, or the certificate cannot be used.
    """
    context = None if not tls_cert else _tls(tls_cert, tls_key)
    http = _Http(app)
    pool = ConnectionPool()
    # In a thread: names are looked up, and where a port is taken, its owner.
    sockets = await trio.to_thread.run_sync(open_sockets, hosts, port)
    listeners = [
        BoundedListener(trio.SocketListener(trio.socket.from_stdlib_socket(listening)), pool)
        for listening in sockets
    ]
    addresses = tuple(listening.getsockname()[:2] for listening in sockets)
    async with trio.open_nursery() as connections:
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
                task_status.started(addresses)
                await stop.wait()
                accepting.cancel_scope.cancel()
            await http.finish()
            await pool.wait_empty()
        finally:
            # Hypercorn writes in a shield; only a closed socket gets it out of there.
            pool.abort()


class _Http:
    """Hypercorn's protocol machinery for one application."""

    def __init__(self, app: App) -> None:
        # lazy: hypercorn takes half a second to import, and stdio never needs it
        from h11 import LocalProtocolError  # noqa: PLC0415 -- as above
        from hypercorn.app_wrappers import ASGIWrapper  # noqa: PLC0415 -- as above
        from hypercorn.trio.worker_context import WorkerContext  # noqa: PLC0415 -- as above
        from hypercorn.typing import ConnectionState  # noqa: PLC0415 -- as above

        from gateway.transports import websocket_stream  # noqa: PLC0415 -- as above

        websocket_stream.install()
        # What hypercorn's protocol code falls over when a client breaks the rules in the middle of an answer.
        self._clients_fault = LocalProtocolError
        self._context = WorkerContext(max_requests=None)
        self._connection: Callable[[_Stream], Awaitable[None]] = partial(
            _connection_class(),
            ASGIWrapper(app),  # type: ignore[arg-type]  # hypercorn types events as TypedDicts
            _config(),
            self._context,
            ConnectionState({}),
        )

    async def serve(self, stream: _Stream) -> None:
        """Serves one connection to its end. What breaks it costs only itself."""
        try:
            await self._connection(stream)
        except* self._clients_fault as broken:
            _log.debug("connection_broken", error=broken.exceptions[0])
        except* Exception as broken:  # noqa: BLE001 -- the edge: hypercorn's faults must not end the others
            _log.crash("connection_failed", broken)

    async def finish(self) -> None:
        """Closes idle connections now, the others after the answer under way."""
        await self._context.terminated.set()


def _connection_class() -> Callable[..., Awaitable[None]]:
    """Hypercorn's connection, with two of its habits mended."""
    from hypercorn.events import Event, Updated  # noqa: PLC0415 -- lazy: see _Http
    from hypercorn.trio.tcp_server import TCPServer  # noqa: PLC0415 -- lazy: see _Http

    class Connection(TCPServer):
        """Speaks HTTP/1.1 only, and ends when its client has."""

        _client_ended = False

        async def _read_data(self) -> None:
            # Without TLS anybody could ask for HTTP/2 (`Upgrade: h2c`): past proxies that only know HTTP/1.1, and with
            # none of our bounds.
            self.protocol.protocol._check_protocol = _stay  # type: ignore[method-assign,union-attr]  # noqa: SLF001 -- hypercorn has no switch for it
            await super()._read_data()
            # Hypercorn would wait for the keep-alive time before it lets go of a connection that the client closed.
            self._client_ended = True
            await self.idle_task.stop()

        async def protocol_send(self, event: Event) -> None:
            if not (self._client_ended and isinstance(event, Updated)):
                await super().protocol_send(event)

    return Connection


async def _stay(_request: object) -> None:
    """Changes to no other protocol."""


def _config() -> Config:
    """Hypercorn's settings. Its access log is off, and its errors go through our logging, never to stdout."""
    from hypercorn.config import Config  # noqa: PLC0415 -- lazy: see _Http

    config = Config()
    config.accesslog = None
    config.errorlog = logging.getLogger("mcpgw.http.hypercorn")
    config.include_server_header = False
    config.keep_alive_timeout = limits.KEEP_ALIVE_S
    config.keep_alive_max_requests = _NO_LIMIT
    config.h11_max_incomplete_size = limits.HEAD_BYTES
    config.ssl_handshake_timeout = limits.CONNECT_TIMEOUT_S
    config.websocket_max_message_size = limits.MAX_FRAME_BYTES
    config.websocket_ping_interval = limits.WEBSOCKET_PING_S
    return config


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
