"""Streamable HTTP of 2025-03-26 to 2025-11-25: one endpoint, three methods, streams that a client may come back to.

Must not know what the messages mean, except that `initialize` opens a session. A client that disconnects has not
cancelled: the call goes on, and where it was a stream its events are kept for a while.

Source: MCP 2025-11-25, base protocol, transports, "Streamable HTTP".
"""

from __future__ import annotations

from functools import partial
from typing import Final

import trio

from gateway import limits
from gateway.errors import Overloaded
from gateway.jsonrpc import batches
from gateway.jsonrpc.messages import Request
from gateway.mcp.versions import LEGACY
from gateway.ports import ClientSession, Health, Principal, Sessions
from gateway.transports import incoming
from gateway.transports.event_feed import EventFeed
from gateway.transports.event_stream import stream_events
from gateway.transports.exchange import Exchange
from gateway.transports.http import EVENTS, JSON, Accepted, Headers, HttpCall, Refused, Reply
from gateway.transports.incoming import Incoming
from gateway.transports.outlets import NOWHERE
from gateway.transports.resumption import Resumption, is_primed

SESSION_HEADER: Final = b"mcp-session-id"
VERSION_HEADER: Final = b"mcp-protocol-version"
RESUME_HEADER: Final = b"last-event-id"

_ACCEPTED: Final = Reply(202)
_NO_CONTENT: Final = Reply(204)


class StreamableHttp:
    """The three methods of the endpoint."""

    def __init__(self, sessions: Sessions, health: Health) -> None:
        self._sessions = sessions
        self._health = health
        self._streams = Resumption()

    async def post(self, call: HttpCall, principal: Principal, body: bytes) -> None:
        """Takes one message or batch. Requests are answered with JSON, or with events where anything precedes the answer.

        Raises:
            Refused: the request is wrong as HTTP, or names no session.
            Malformed: its body is no JSON-RPC message.
            Overloaded: nothing new is accepted at the moment.
        """
        accepted = call.accepted()
        if not (accepted.json or accepted.events):
            raise Refused(f"the answer is {JSON} or {EVENTS}: accept both", status=406)
        session = self._session(call, principal) if batches.is_batch(body) else None
        came = incoming.read(body, session)
        if not incoming.is_owed(came):
            incoming.hand_over(came, session or self._session(call, principal), NOWHERE)
            await call.respond(_ACCEPTED)
            return
        if not self._health.ready():
            raise Overloaded("the gateway is starting or stopping: try again in a moment")
        if _opens_session(came) and call.header(SESSION_HEADER) is None:
            await self._initialize(call, principal, came, accepted)
        else:
            await self._answer(call, session or self._session(call, principal), came, accepted)

    async def get(self, call: HttpCall, principal: Principal) -> None:
        """Opens the stream of messages that belong to no request, or goes on with a stream that broke off.

        A newer reader of a stream takes over from an older one. A standing stream whose client is gone waits for it.

        Raises:
            Refused: the client accepts no events, or names no session.
            ClientFault: the stream that it names is kept no more.
        """
        if not call.accepted().events:
            raise Refused(f"this is an event stream: accept {EVENTS}", status=406)
        session = self._session(call, principal)
        feed, after = self._feed(call, session)
        events = feed.read_on(after)
        try:
            await stream_events(call, events)
            events.drop()
            if feed is self._streams.standing(session):
                with trio.move_on_after(limits.RESUME_KEEP_S):
                    await feed.wait_read()
        finally:
            events.drop()
            if feed is self._streams.standing(session) and not feed.is_read:
                session.detach(feed)
                self._streams.forget(session, feed)

    async def delete(self, call: HttpCall, principal: Principal) -> None:
        """Ends the session.

        Raises:
            Refused: it names no session of this principal.
        """
        session = self._session(call, principal)
        session.close()
        self._streams.forget_session(session)
        await call.respond(_NO_CONTENT)

    async def _initialize(
        self, call: HttpCall, principal: Principal, came: Incoming, accepted: Accepted
    ) -> None:
        """Opens a session and answers with its id, unless it refused the handshake: then it is not kept."""
        session = self._sessions.open(principal, transport="streamable-http")
        exchange = self._open_exchange(session, accepted)
        incoming.hand_over(came, session, exchange)
        await exchange.first_frame_or(trio.sleep_forever)
        headers: Headers = ()
        if exchange.mode == "plain" and session.protocol_version is None:
            session.close()
        else:
            headers = ((SESSION_HEADER, session.id.encode("ascii")),)
        await write_answer(call, exchange, headers)

    async def _answer(
        self, call: HttpCall, session: ClientSession, came: Incoming, accepted: Accepted
    ) -> None:
        """Has the session answer. Whoever waits for long gets a stream: it is kept open, or can be resumed.

        Cancellation: the call goes on; its answer can be fetched where it had become a stream.
        """
        exchange = self._open_exchange(session, accepted)
        incoming.hand_over(came, session, exchange, singly=lambda: exchange.mode == "stream")
        resumable = is_primed(session)
        with trio.move_on_after(limits.STREAM_AFTER_S if resumable else limits.SSE_KEEPALIVE_S):
            await exchange.first_frame_or(trio.sleep_forever)
        if not exchange.stream():
            await exchange.first_frame_or(trio.sleep_forever)
        await write_answer(call, exchange)

    def _open_exchange(self, session: ClientSession, accepted: Accepted) -> Exchange:
        return Exchange(
            partial(self._streams.open_call, session),
            accepts_json=accepted.json,
            accepts_events=accepted.events,
        )

    def _feed(self, call: HttpCall, session: ClientSession) -> tuple[EventFeed, int | None]:
        """The stream that a GET reads, and the last event that its client has seen there, if it names one.

        Raises:
            ClientFault: a stream that is kept no more.
        """
        feed, after = None, None
        event_id = call.text(RESUME_HEADER)
        if event_id:
            feed, after = self._streams.find(session, event_id)
        if feed is not None:
            return feed, after
        feed = self._streams.standing(session)
        if feed is None:
            feed = self._streams.open_standing(session)
            session.attach(feed)
        return feed, None

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


async def read_body(call: HttpCall) -> bytes:
    """The body of a POST.

    Raises:
        Refused: it is not declared as JSON, or too long.
        ClientLeft: the client disconnected in the middle of it.
    """
    if call.content_type() != JSON:
        raise Refused(f"the body must be sent as Content-Type: {JSON}", status=415)
    return await call.body(limits.MAX_FRAME_BYTES)


async def write_answer(call: HttpCall, exchange: Exchange, headers: Headers = ()) -> None:
    """Sends what the exchange has become."""
    if exchange.events is not None:
        try:
            await stream_events(call, exchange.events, headers)
        finally:
            exchange.events.drop()
    elif exchange.answer is None:
        await call.respond(_ACCEPTED)
    else:
        await call.respond(Reply(200, exchange.answer, JSON, headers))


def _opens_session(came: Incoming) -> bool:
    return isinstance(came, Request) and came.method == "initialize"
