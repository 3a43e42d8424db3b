"""One WebSocket to a remote server, from the TCP connection to the closing handshake. Must not know JSON-RPC.

trio-websocket with our rules: connecting has a limit, redirects are refused, an answer to the handshake that has no end is cut
off, a server that is silent for too long is gone, and every error becomes one of ours, without a header's value in it. The
environment's certificates are honoured; its proxies are not, for trio-websocket knows none.

Source: RFC 6455.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import h11
import httpx
import trio
import trio_websocket
from wsproto.utilities import ProtocolError

from gateway import limits
from gateway.catalog.model import RemoteLaunch
from gateway.errors import GatewayError, Gone, Unavailable
from gateway.telemetry.refusals import refused
from gateway.upstreams.addresses import SocketAddress, shown, socket_address
from gateway.upstreams.admission import Admission
from gateway.upstreams.connecting import checked_headers, why_not_connected
from gateway.upstreams.credentials import Credentials
from gateway.upstreams.refusals import Asked, Refused, refusal
from gateway.upstreams.watched_stream import WatchedStream

SUBPROTOCOL: Final = "mcp"
_ABNORMAL: Final = 1006
"""Stands for a connection that ended without the closing handshake (RFC 6455 §7.4.1)."""


class Socket:
    """An open WebSocket. Made and closed by `SocketWire.converse`."""

    def __init__(
        self, connection: trio_websocket.WebSocketConnection, stream: WatchedStream, who: str
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._who = who

    async def receive(self) -> str | bytes:
        """The next message, text or binary.

        Raises:
            Gone: the connection is closed; the text says how.
        """
        try:
            return await self._connection.get_message()
        except trio_websocket.ConnectionClosed as error:
            raise Gone(_obituary(self._who, error.reason)) from error

    async def send(self, text: str) -> None:
        """Sends one message, waiting while the server does not read.

        Cancellation: it may be half sent; nothing can be sent afterwards.

        Raises:
            Gone: the connection is closed; the text says how.
        """
        try:
            await self._connection.send_message(text)
        except trio_websocket.ConnectionClosed as error:
            raise Gone(_obituary(self._who, error.reason)) from error

    async def ping(self) -> None:
        """Sends a ping now and then, each after the answer to the last: who is in between sees life.

        Raises:
            Gone: the connection is closed; the text says how.
        """
        try:
            while True:
                await trio.sleep(limits.WEBSOCKET_PING_S)
                await self._connection.ping()
        except trio_websocket.ConnectionClosed as error:
            raise Gone(_obituary(self._who, error.reason)) from error

    async def watch(self) -> None:
        """Waits until the server has been silent for too long.

        Raises:
            Gone: it has.
        """
        while True:
            await trio.sleep(limits.WEBSOCKET_PING_S)
            if self._stream.silent_s >= limits.WEBSOCKET_SILENCE_S:
                raise Gone(
                    f"{self._who} has been silent for {limits.WEBSOCKET_SILENCE_S:g} s and answers no ping"
                )

    async def say_goodbye(self) -> None:
        """Does the closing handshake. May take as long as the server likes: the caller bounds it."""
        await self._connection.aclose()


class SocketWire:
    """The way to one remote server."""

    def __init__(
        self, launch: RemoteLaunch, *, server: str, credentials: Credentials | None = None
    ) -> None:
        self._launch = launch
        self._server = server
        self._credentials = credentials or Credentials(launch.headers)
        self._asked = Asked(server, shown(launch.url), tuple(launch.headers))
        self.who = f"server {server!r} ({self._asked.address})"

    @property
    def address(self) -> str:
        """The address, without what in it may be secret."""
        return self._asked.address

    async def converse(self, talk: Callable[[Socket], Awaitable[None]]) -> None:
        """Connects, lets `talk` use the connection, and closes it. Where the server puts us off, that takes as long as it says.

        Raises:
            Unavailable: the server was not reached.
            Refused: it wants no WebSocket there.
            Gone: the connection ended before `talk` did, or what `talk` raised of our tree.
        """
        admission = Admission(self._credentials, server=self._server, deadline=math.inf)
        while True:
            version = self._credentials.version
            try:
                await self._converse_once(talk)
            except Refused as error:
                refusal = error
            else:
                return
            pause = await admission.pause_s(refusal.status, refusal.retry_after_s, version=version)
            if pause is None:
                raise refusal
            await trio.sleep(pause)

    async def _converse_once(self, talk: Callable[[Socket], Awaitable[None]]) -> None:
        """The same without a second try."""
        address = self._address()
        headers = checked_headers(self._credentials.headers, self.who)
        faults: list[Exception] = []
        try:
            async with await self._connect(address) as tcp, trio.open_nursery() as nursery:
                stream = WatchedStream(await self._secure(tcp, address))
                connection = await self._upgrade(nursery, stream, address, headers)
                await talk(Socket(connection, stream, self.who))
                nursery.cancel_scope.cancel()
        except* (
            GatewayError,
            trio_websocket.ConnectionRejected,
            ProtocolError,
            h11.ProtocolError,
        ) as group:
            faults += _leaves(group)
        if faults:
            # The first is the cause, others its consequences.
            raise self._told(faults[0]) from faults[0]

    def _address(self) -> SocketAddress:
        address = socket_address(self._launch.url)
        if address is None:
            raise Unavailable(
                f"{self.who} has no ws or wss url, or one with a user in it: correct the url of its entry"
            )
        return address

    async def _connect(self, address: SocketAddress) -> trio.SocketStream:
        try:
            with trio.fail_after(limits.CONNECT_TIMEOUT_S):
                return await trio.open_tcp_stream(address.host, address.port)
        except trio.TooSlowError as error:
            raise self._too_slow() from error
        except (OSError, ValueError) as error:
            raise Unavailable(
                f"{self.who} cannot be reached: {why_not_connected(error)}"
            ) from error

    async def _secure(
        self, tcp: trio.SocketStream, address: SocketAddress
    ) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
        """The connection as it is, or TLS on it."""
        if not address.tls:
            return tcp
        try:
            # httpx knows whom every other remote server is trusted by. In a thread: that takes a tenth of a second.
            trusted = await trio.to_thread.run_sync(httpx.create_ssl_context)
            stream = trio.SSLStream(
                tcp, trusted, server_hostname=address.host, https_compatible=True
            )
            with trio.fail_after(limits.CONNECT_TIMEOUT_S):
                await stream.do_handshake()
        except trio.TooSlowError as error:
            raise self._too_slow() from error
        except (trio.BrokenResourceError, OSError, ValueError) as error:
            raise Unavailable(
                f"{self.who} cannot be reached: {why_not_connected(error)}"
            ) from error
        return stream

    async def _upgrade(
        self,
        nursery: trio.Nursery,
        stream: WatchedStream,
        address: SocketAddress,
        headers: list[tuple[bytes, bytes]],
    ) -> trio_websocket.WebSocketConnection:
        """The opening handshake. trio-websocket would wait for ever where the answer never ends, or never begins."""
        connection: trio_websocket.WebSocketConnection | None = None
        with trio.move_on_after(limits.INITIALIZE_TIMEOUT_S) as patience:
            async with trio.open_nursery() as waiting:
                waiting.start_soon(stream.cancel_at_end, waiting.cancel_scope)
                connection = await trio_websocket.wrap_client_stream(
                    nursery,
                    stream,  # type: ignore[arg-type] # any stream will do
                    address.authority,
                    address.resource,
                    subprotocols=[SUBPROTOCOL],
                    extra_headers=headers,
                    message_queue_size=1,
                    max_message_size=limits.MAX_FRAME_BYTES,
                    receive_buffer_size=limits.READ_CHUNK_BYTES,
                )
                waiting.cancel_scope.cancel()
        if connection is not None:
            stream.lift_bound()
            return connection
        if patience.cancelled_caught:
            refused("to_servers.INITIALIZE_TIMEOUT_S")
            raise Unavailable(
                f"{self.who} did not answer the opening of a WebSocket in {limits.INITIALIZE_TIMEOUT_S:g} s"
            )
        raise Unavailable(
            f"{self.who} broke the connection instead of opening a WebSocket: check the url of its entry"
        )

    def _too_slow(self) -> Unavailable:
        return Unavailable(
            f"{self.who} cannot be reached: no connection in {limits.CONNECT_TIMEOUT_S:g} s"
        )

    def _told(self, fault: Exception) -> GatewayError:
        """A fault as an error of ours. Never in its own words: h11 quotes the header's value."""
        match fault:
            case GatewayError():
                return fault
            case trio_websocket.ConnectionRejected():
                headers = {
                    name.decode("latin-1").lower(): value.decode("latin-1")
                    for name, value in fault.headers
                }
                return refusal(self._asked, fault.status_code, headers, in_session=False)
            case h11.LocalProtocolError():
                # Ours could not be written, or theirs is no answer to it: then trio-websocket answers back, which no client may.
                return Unavailable(
                    f"{self.who} cannot be asked over a WebSocket: check url and headers of its entry"
                )
            case _:
                return Gone(f"the connection to {self.who} ended out of turn")


def _leaves(group: BaseExceptionGroup[Exception]) -> Iterator[Exception]:
    """The errors in a group of groups, in order."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _obituary(who: str, reason: trio_websocket.CloseReason | None) -> str:
    """How a connection ended, in one sentence."""
    if reason is None or reason.code == _ABNORMAL:
        return f"{who} broke the connection"
    said = f": {' '.join(reason.reason.split())}" if reason.reason else ""
    return f"the connection to {who} was closed with {reason.code}{said}"
