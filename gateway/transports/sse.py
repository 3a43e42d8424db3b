"""The HTTP+SSE transport of 2024-11-05: a GET opens the stream and the session, POSTs bring the client's messages.

Source: MCP 2024-11-05, base protocol, transports, "HTTP with SSE".
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from gateway.errors import Overloaded
from gateway.jsonrpc.sse import encode_event
from gateway.ports import Health, Principal, Sessions
from gateway.transports import incoming
from gateway.transports.backlog import Backlog
from gateway.transports.event_stream import stream_events
from gateway.transports.exchange import Exchange
from gateway.transports.http import EVENTS, HttpCall, Refused, Reply
from gateway.transports.outlets import Answers, Standing
from gateway.transports.request_head import RequestHead
from gateway.transports.streamable_http import check_content_type

SESSION_PARAMETER: Final = "sessionId"

_SPELLINGS: Final = (SESSION_PARAMETER, "sessionid", "session_id")
"""Servers differ in it, and clients that build the address themselves follow the one they know."""
_ACCEPTED: Final = Reply(202, b"Accepted", "text/plain")


class Sse:
    """The two methods of the endpoint."""

    def __init__(self, sessions: Sessions, health: Health) -> None:
        self._sessions = sessions
        self._health = health
        self._answers: dict[str, Answers] = {}
        """By session id, where answers to POSTs go; an entry lives as long as its stream."""

    async def get(self, call: HttpCall, principal: Principal) -> None:
        """Opens a session and streams its messages; the session ends with the stream.

        Raises:
            Refused: the client accepts no events.
            Overloaded: nothing new is accepted at the moment.
        """
        if not call.head.accepted.events:
            raise Refused(f"this is an event stream: accept {EVENTS}", status=406)
        if not self._health.ready():
            raise Overloaded("the gateway is starting or stopping: try again in a moment")
        session = self._sessions.open(principal, transport="sse")
        backlog = Backlog()
        self._answers[session.id] = Answers(backlog, encode_event)
        try:
            backlog.push(_endpoint(session.id))
            session.attach(Standing(backlog, encode_event))
            await stream_events(call, backlog)
        finally:
            del self._answers[session.id]
            session.close()

    def check(self, head: RequestHead) -> None:
        """Looks at the head of a POST before its body comes.

        Raises:
            Refused: it names no session, or the body will not be JSON.
        """
        if session_parameter(head) is None:
            raise Refused(
                f"the {SESSION_PARAMETER} parameter is missing: open the stream with GET, then post to "
                "the address in its endpoint event",
                status=400,
            )
        check_content_type(head)

    def take(self, head: RequestHead, principal: Principal, body: bytes) -> Reply | Exchange:
        """Takes one message; what it leads to arrives on the stream.

        Raises:
            Refused: it names no session.
            Malformed: its body is no JSON-RPC message.
        """
        session_id = session_parameter(head) or ""
        session = self._sessions.find(session_id, principal)
        answers = self._answers.get(session_id)
        if session is None or answers is None:
            raise Refused(
                f"there is no stream of that {SESSION_PARAMETER} (any more): open one with GET",
                status=404,
            )
        incoming.hand_over(incoming.read(body, session), session, answers)
        return _ACCEPTED


def session_parameter(head: RequestHead) -> str | None:
    """The session that a POST's address names."""
    query = head.query
    return next((query[name] for name in _SPELLINGS if name in query), None)


def _endpoint(session_id: str) -> bytes:
    """The event that tells where to post: this stream's own address with the session as its query.

    A query-only reference stays right behind proxies that map ports or prefix paths, where an absolute path would not.
    """
    reference = "?" + urlencode({SESSION_PARAMETER: session_id})
    return encode_event(reference.encode("ascii"), event="endpoint")
