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
from gateway.transports.http import EVENTS, HttpCall, Refused, Reply
from gateway.transports.outlets import Answers, Standing
from gateway.transports.streamable_http import read_body

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
        if not call.accepted().events:
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

    async def post(self, call: HttpCall, principal: Principal) -> None:
        """Takes one message; what it leads to arrives on the stream.

        Raises:
            Refused: the request is wrong as HTTP, or names no session.
            Malformed: its body is no JSON-RPC message.
        """
        session_id = session_parameter(call)
        if session_id is None:
            raise Refused(
                f"the {SESSION_PARAMETER} parameter is missing: open the stream with GET, then post to "
                "the address in its endpoint event",
                status=400,
            )
        # First the body, which may take its time: nothing may come between finding the session and using it.
        body = await read_body(call)
        session = self._sessions.find(session_id, principal)
        answers = self._answers.get(session_id)
        if session is None or answers is None:
            raise Refused(
                f"there is no stream of that {SESSION_PARAMETER} (any more): open one with GET",
                status=404,
            )
        incoming.hand_over(incoming.read(body, session), session, answers)
        await call.respond(_ACCEPTED)


def session_parameter(call: HttpCall) -> str | None:
    """The session that a POST's address names."""
    query = call.query()
    return next((query[name] for name in _SPELLINGS if name in query), None)


def _endpoint(session_id: str) -> bytes:
    """The event that tells where to post: this stream's own address with the session as its query.

    A query-only reference stays right behind proxies that map ports or prefix paths, where an absolute path would not.
    """
    reference = "?" + urlencode({SESSION_PARAMETER: session_id})
    return encode_event(reference.encode("ascii"), event="endpoint")
