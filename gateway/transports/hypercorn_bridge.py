"""Hypercorn's protocol machinery, one request at a time. Imported late: it takes half a second, and stdio never needs it.

It speaks HTTP to an ASGI application; sockets, framing, times and keep-alive are ours. What we use of it is not its
public face (`ProtocolWrapper`, `TaskGroup`, `WorkerContext`): the version is pinned, and a contract test holds it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import trio
from h11 import LocalProtocolError
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h11 import H11Protocol, H11WSConnection
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hypercorn.utils import parse_socket_addr

from gateway import limits
from gateway.transports import websocket_stream
from gateway.transports.asgi_call import App
from gateway.transports.outflow import Outflow

CLIENTS_FAULT: Final = LocalProtocolError
"""What hypercorn falls over when a client breaks the rules in the middle of an answer."""
_NO_LIMIT: Final = 2**62  # requests on one kept-alive connection


class Hypercorn:
    """Hypercorn for one application."""

    def __init__(self, app: App) -> None:
        websocket_stream.install()
        self._app = ASGIWrapper(app)  # type: ignore[arg-type]  # hypercorn types events as TypedDicts
        self._config = _config()
        self._context = WorkerContext(max_requests=None)

    async def finish(self) -> None:
        """Has every connection end after the answer under way."""
        await self._context.terminated.set()

    def connect(
        self,
        socket: trio.socket.SocketType,
        outflow: Outflow,
        nursery: trio.Nursery,
        *,
        secure: bool,
        rest: Callable[[], None],
        close: Callable[[], None],
    ) -> Bridge:
        """A protocol for one connection. `rest` is called after each answer, or `close` where hypercorn wants an end.

        Raises:
            OSError: the client is gone already.
        """
        tasks = TaskGroup()
        tasks._nursery = nursery  # noqa: SLF001 -- ours is open already, and outlives it
        bridge = Bridge(outflow, rest, close)
        bridge.protocol = ProtocolWrapper(
            self._app,
            self._config,
            self._context,
            tasks,
            ConnectionState({}),
            secure,
            parse_socket_addr(socket.family, socket.getpeername()),
            parse_socket_addr(socket.family, socket.getsockname()),
            bridge.send,
        )
        # Without TLS anybody could ask for HTTP/2 (`Upgrade: h2c`): past proxies that only know HTTP/1.1, and with none
        # of our bounds.
        bridge.h11._check_protocol = _stay  # type: ignore[assignment,method-assign]  # noqa: SLF001 -- hypercorn has no switch for it
        return bridge


class Bridge:
    """Hypercorn's protocol on one connection."""

    protocol: ProtocolWrapper

    def __init__(
        self, outflow: Outflow, rest: Callable[[], None], close: Callable[[], None]
    ) -> None:
        self._outflow = outflow
        self._rest = rest
        self._close = close
        self._idle = trio.Event()
        self._mute = False
        self.has_answered = False
        """Whether anything was sent for the request that began last."""

    @property
    def h11(self) -> H11Protocol:
        """The protocol inside."""
        inside = self.protocol.protocol
        assert isinstance(inside, H11Protocol)  # noqa: S101 -- HTTP/2 is refused above
        return inside

    @property
    def is_websocket(self) -> bool:
        """Whether the connection has been handed to a WebSocket: then it never becomes HTTP again."""
        return isinstance(self.h11.connection, H11WSConnection)

    @property
    def is_idle(self) -> bool:
        """Whether the request that began last is over, answer and all."""
        return self._idle.is_set()

    async def wait_idle(self) -> None:
        """Until it is over."""
        await self._idle.wait()

    def begin(self) -> None:
        """Another request comes."""
        self._idle = trio.Event()
        self.has_answered = False

    async def feed(self, data: bytes) -> None:
        """Takes the next bytes; waits while the application does not read."""
        await self.protocol.handle(RawData(data))

    async def end(self) -> None:
        """The client sends nothing more."""
        await self.protocol.handle(RawData(b""))
        await self.protocol.handle(Closed())

    async def give_up(self) -> None:
        """What comes is no body: nothing more is said in the request's answer."""
        self._mute = True
        self._idle.set()
        await self.protocol.handle(Closed())

    async def send(self, event: Event) -> None:
        """Takes what hypercorn says."""
        match event:
            case RawData() if not self._mute:
                self.has_answered = True
                await self._outflow.send(event.data)
                if self._outflow.broken:
                    await self.protocol.handle(Closed())
            case Updated(idle=True):
                self._idle.set()
                self._rest()
            case Closed():
                self._idle.set()
                self._close()
                await self.protocol.handle(Closed())


async def _stay(_request: object) -> None:
    """Changes to no other protocol."""


def _config() -> Config:
    """Hypercorn's settings. Its access log is off, and its errors go through our logging, never to stdout."""
    config = Config()
    config.accesslog = None
    config.errorlog = logging.getLogger("mcpgw.http.hypercorn")
    config.include_server_header = False
    config.keep_alive_max_requests = _NO_LIMIT
    config.h11_max_incomplete_size = limits.HEAD_BYTES
    config.websocket_max_message_size = limits.MAX_FRAME_BYTES
    config.websocket_ping_interval = limits.WEBSOCKET_PING_S
    return config
