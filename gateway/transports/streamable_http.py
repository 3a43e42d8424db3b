"""Streamable HTTP of 2025-03-26 to 2025-11-25: one endpoint, three methods.

Must not know what the messages mean, except that `initialize` opens a session. Later revisions come in at the same endpoint: requests that carry their revision in `_meta` will be told apart in `post`,
and event ids for resuming streams will be given in `Exchange`.

Source: MCP 2025-11-25, base protocol, transports, "Streamable HTTP".
"""

from __future__ import annotations

from typing import Final

import trio

from gateway import limits
from gateway.errors import Overloaded
from gateway.jsonrpc.codec import decode
from gateway.jsonrpc.messages import Message, Request
from gateway.jsonrpc.sse import encode_event
from gateway.mcp.versions import LEGACY
from gateway.ports import ClientSession, Health, Principal, Sessions
from gateway.transports.backlog import Backlog
from gateway.transports.event_stream import stream_events
from gateway.transports.exchange import Exchange
from gateway.transports.http import EVENTS, JSON, Headers, HttpCall, Refused, Reply
from gateway.transports.outlets import Nowhere, Standing

SESSION_HEADER: Final = b"mcp-session-id"
VERSION_HEADER: Final = b"mcp-protocol-version"

_NOWHERE: Final = Nowhere()
_ACCEPTED: Final = Reply(202)
_NO_CONTENT: Final = Reply(204)


class StreamableHttp:
    """The three methods of the endpoint."""

    def __init__(self, sessions: Sessions, health: Health) -> None:
        self._sessions = sessions
        self._health = health

    async def post(self, call: HttpCall, principal: Principal) -> None:
        """Takes one message. A request is answered with JSON, or with events where anything precedes the answer.

        Raises:
            Refused: the request is wrong as HTTP, or names no session.
            Malformed: its body is no JSON-RPC message.
            Overloaded: nothing new is accepted at the moment.
        """
        accepted = call.accepted()
        if not (accepted.json or accepted.events):
            raise Refused(f"the answer is {JSON} or {EVENTS}: accept both", status=406)
        message = await read_message(call)
        # Here requests of revisions without sessions will part.
        if not isinstance(message, Request):
            self._session(call, principal).receive(message, _NOWHERE)
            await call.respond(_ACCEPTED)
            return
        if not self._health.ready():
            raise Overloaded("the gateway is starting or stopping: try again in a moment")
        exchange = Exchange(accepts_json=accepted.json, accepts_events=accepted.events)
        if message.method == "initialize" and call.header(SESSION_HEADER) is None:
            await self._initialize(call, principal, message, exchange)
        else:
            self._session(call, principal).receive(message, exchange)
            await _answer(call, exchange)

    async def get(self, call: HttpCall, principal: Principal) -> None:
        """Opens the stream of messages that belong to no request. A newer one takes over from it.

        Raises:
            Refused: the client accepts no events, or names no session.
        """
        if not call.accepted().events:
            raise Refused(f"this is an event stream: accept {EVENTS}", status=406)
        session = self._session(call, principal)
        backlog = Backlog()
        outlet = Standing(backlog, encode_event)
        session.attach(outlet)
        try:
            await stream_events(call, backlog)
        finally:
            session.detach(outlet)

    async def delete(self, call: HttpCall, principal: Principal) -> None:
        """Ends the session.

        Raises:
            Refused: it names no session of this principal.
        """
        self._session(call, principal).close()
        await call.respond(_NO_CONTENT)

    async def _initialize(
        self, call: HttpCall, principal: Principal, message: Message, exchange: Exchange
    ) -> None:
        """Opens a session and answers with its id, unless it refused the handshake: then it is not kept."""
        session = self._sessions.open(principal, transport="streamable-http")
        session.receive(message, exchange)
        await exchange.backlog.wait()
        if exchange.mode == "plain" and session.protocol_version is None:
            session.close()
            await _answer(call, exchange)
            return
        await _answer(call, exchange, ((SESSION_HEADER, session.id.encode("ascii")),))

    def _session(self, call: HttpCall, principal: Principal) -> ClientSession:
        """The session that the request names.

        Raises:
            Refused: a revision that is not spoken here, no session named (400), none of that name for it (404).
        """
        version = call.text(VERSION_HEADER)
        if version is not None and version not in LEGACY:
            raise Refused(
                f"MCP-Protocol-Version is not one of {', '.join(LEGACY)}: send the negotiated one",
                status=400,
            )
        session_id = call.text(SESSION_HEADER)
        if session_id is None:
            raise Refused("the Mcp-Session-Id header is missing: send initialize first", status=400)
        session = self._sessions.find(session_id, principal)
        if session is None:
            raise Refused(
                "there is no session of that Mcp-Session-Id (any more): send initialize again",
                status=404,
            )
        return session


async def read_message(call: HttpCall) -> Message:
    """The message in the body of a POST.

    Raises:
        Refused: the body is not declared as JSON, or too long.
        Malformed: it is not one JSON-RPC message.
    """
    if call.content_type() != JSON:
        raise Refused(f"the body must be sent as Content-Type: {JSON}", status=415)
    return decode(await call.body(limits.MAX_FRAME_BYTES))


async def _answer(call: HttpCall, exchange: Exchange, headers: Headers = ()) -> None:
    """Sends what the exchange comes to.

    A client that waits for long gets a stream, whose keep-alive comments hold the connection through proxies.

    Cancellation: the call goes on; its answer goes nowhere.
    """
    with trio.move_on_after(limits.SSE_KEEPALIVE_S):
        await exchange.backlog.wait()
    if not exchange.stream():
        await exchange.backlog.wait()
    if exchange.mode == "stream":
        await stream_events(call, exchange.backlog, headers)
    elif exchange.answer is None:
        await call.respond(_ACCEPTED)
    else:
        await call.respond(Reply(200, exchange.answer, JSON, headers))
