"""Streamable HTTP of 2025-03-26 to 2025-11-25: one endpoint, three methods, streams that a client may come back to.

Must not know what the messages mean, except that `initialize` opens a session. A client that disconnects has not
cancelled: the call goes on, and where it was a stream its events are kept for a while.

Source: MCP 2025-11-25, base protocol, transports, "Streamable HTTP".
"""

from __future__ import annotations

from typing import Final

import trio

from gateway import limits
from gateway.errors import Overloaded
from gateway.jsonrpc import batches
from gateway.jsonrpc.messages import Request
from gateway.mcp.versions import LEGACY
from gateway.ports import ClientSession, Health, Outlet, Principal, Sessions
from gateway.transports import incoming
from gateway.transports.backlog import Backlog
from gateway.transports.event_feed import EventFeed
from gateway.transports.event_stream import stream_events
from gateway.transports.exchange import ACCEPTED, Exchange
from gateway.transports.http import EVENTS, JSON, Accepted, Headers, HttpCall, Refused, Reply
from gateway.transports.incoming import Incoming
from gateway.transports.outlets import NOWHERE
from gateway.transports.request_head import RequestHead
from gateway.transports.resumption import Resumption, is_primed

SESSION_HEADER: Final = b"mcp-session-id"
VERSION_HEADER: Final = b"mcp-protocol-version"
RESUME_HEADER: Final = b"last-event-id"

_LEGACY: Final = frozenset(version.encode() for version in LEGACY)
_NO_CONTENT: Final = Reply(204)


class StreamableHttp:
    """The three methods of the endpoint."""

    def __init__(self, sessions: Sessions, health: Health) -> None:
        self._sessions = sessions
        self._health = health
        self._streams = Resumption()

    def take(self, head: RequestHead, principal: Principal, body: bytes) -> Reply | Exchange:
        """Takes one message or batch. Requests are answered with JSON, or with events where anything precedes the answer.

        Raises:
            Refused: the request is wrong as HTTP, or names no session.
            Malformed: its body is no JSON-RPC message.
            Overloaded: nothing new is accepted at the moment.
        """
        accepted = head.accepted
        if not (accepted.json or accepted.events):
            raise Refused(f"the answer is {JSON} or {EVENTS}: accept both", status=406)
        session = self._session(head, principal) if batches.is_batch(body) else None
        came = incoming.read(body, session)
        if not incoming.is_owed(came):
            incoming.hand_over(came, session or self._session(head, principal), NOWHERE)
            return ACCEPTED
        if not self._health.ready():
            raise Overloaded("the gateway is starting or stopping: try again in a moment")
        exchange: _Answer
        if _opens_session(came) and head.headers.get(SESSION_HEADER) is None:
            session = self._sessions.open(principal, transport="streamable-http")
            exchange = _Opening(session, self._streams, accepted)
        else:
            session = session or self._session(head, principal)
            exchange = _Answer(session, self._streams, accepted)
        incoming.hand_over(came, session, exchange, singly=exchange.is_stream)
        return exchange

    async def get(self, call: HttpCall, principal: Principal) -> None:
        """Opens the stream of messages that belong to no request, or goes on with a stream that broke off.

        A newer reader of a stream takes over from an older one. A standing stream whose client is gone waits for it.

        Raises:
            Refused: the client accepts no events, or names no session.
            ClientFault: the stream that it names is kept no more.
        """
        if not call.head.accepted.events:
            raise Refused(f"this is an event stream: accept {EVENTS}", status=406)
        session = self._session(call.head, principal)
        feed, after = self._feed(call.head, session)
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
        session = self._session(call.head, principal)
        session.close()
        self._streams.forget_session(session)
        await call.respond(_NO_CONTENT)

    def _feed(self, head: RequestHead, session: ClientSession) -> tuple[EventFeed, int | None]:
        """The stream that a GET reads, and the last event that its client has seen there, if it names one.

        Raises:
            ClientFault: a stream that is kept no more.
        """
        feed, after = None, None
        event_id = head.text(RESUME_HEADER)
        if event_id:
            feed, after = self._streams.find(session, event_id)
        if feed is not None:
            return feed, after
        feed = self._streams.standing(session)
        if feed is None:
            feed = self._streams.open_standing(session)
            session.attach(feed)
        return feed, None

    def _session(self, head: RequestHead, principal: Principal) -> ClientSession:
        """The session that the request names.

        Raises:
            Refused: a revision that is not spoken here, no session named (400), none of that name for it (404).
        """
        version = head.headers.get(VERSION_HEADER)
        if version is not None and version not in _LEGACY:
            raise Refused(
                f"MCP-Protocol-Version is not one of {', '.join(LEGACY)}: send the negotiated one",
                status=400,
            )
        session_id = head.text(SESSION_HEADER)
        if session_id is None:
            raise Refused("the Mcp-Session-Id header is missing: send initialize first", status=400)
        session = self._sessions.find(session_id, principal)
        if session is None:
            raise Refused(
                "there is no session of that Mcp-Session-Id (any more): send initialize again",
                status=404,
            )
        return session


class _Answer(Exchange):
    """The answer of a request. Whoever waits for long gets a stream: it is kept open, or can be resumed."""

    survives = True

    def __init__(self, session: ClientSession, streams: Resumption, accepted: Accepted) -> None:
        self._session = session
        self._streams = streams
        patience_s = limits.STREAM_AFTER_S if is_primed(session) else limits.SSE_KEEPALIVE_S
        super().__init__(accepted, patience_s=patience_s)

    def is_stream(self) -> bool:
        """Whether it has become one."""
        return self.mode == "stream"

    def _open_stream(self) -> tuple[Outlet, Backlog]:
        return self._streams.open_call(self._session)


class _Opening(_Answer):
    """The answer of `initialize`: tells the id of its session, unless that refused the handshake. Then it is not kept."""

    def headers(self) -> Headers:
        """The session's id."""
        if self.mode == "plain" and self._session.protocol_version is None:
            self._session.close()
            return ()
        return ((SESSION_HEADER, self._session.id.encode("ascii")),)


def check_content_type(head: RequestHead) -> None:
    """Sees to it that a body is declared as JSON.

    Raises:
        Refused: it is not.
    """
    if head.content_type != JSON:
        raise Refused(f"the body must be sent as Content-Type: {JSON}", status=415)


def _opens_session(came: Incoming) -> bool:
    return isinstance(came, Request) and came.method == "initialize"
