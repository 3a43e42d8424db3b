"""Streamable HTTP of 2026-07-28: each POST is one request that says everything itself. No sessions, nothing to resume.

Must not know methods, except that calls of tools repeat arguments in headers. The body is the truth; headers that say
something else are refused. A client that disconnects has cancelled.

Source: MCP 2026-07-28, base protocol, transports, "Streamable HTTP".
"""

from __future__ import annotations

from typing import Final

import msgspec
import trio

from gateway import limits
from gateway.errors import (
    GatewayError,
    HeaderMismatch,
    InvalidParams,
    Malformed,
    MissingCapability,
    Overloaded,
    UnknownMethod,
    UnsupportedVersion,
)
from gateway.jsonrpc.codec import decode
from gateway.jsonrpc.messages import Failure, Message, Notification, Request
from gateway.jsonrpc.sse import encode_event
from gateway.mcp import headers, meta, params
from gateway.ports import Health, Outlet, Principal, Sessions
from gateway.telemetry.log import get_logger
from gateway.transports.backlog import Backlog
from gateway.transports.event_stream import stream_events
from gateway.transports.exchange import Exchange
from gateway.transports.http import EVENTS, JSON, Accepted, HttpCall, Refused, Reply
from gateway.transports.outlets import Standing
from gateway.transports.refusals import refusal

_ACCEPTED: Final = Reply(202)
_OK: Final = 200
_STATUS: Final = {
    fault.code: fault.http_status
    for fault in (HeaderMismatch, MissingCapability, UnknownMethod, UnsupportedVersion)
}
"""Statuses of answers with these codes. Others have none of their own: they are answers like any."""
_log = get_logger("http")


class StatelessHttp:
    """The one method of the endpoint."""

    def __init__(self, sessions: Sessions, health: Health) -> None:
        self._sessions = sessions
        self._health = health

    async def post(self, call: HttpCall, principal: Principal, message: Message) -> None:
        """Takes one message. A request is answered with JSON, or with events where anything precedes the answer.

        Raises:
            Refused: the client accepts neither.
            Malformed: the message is an answer: here nobody has asked.
        """
        accepted = call.accepted()
        if not (accepted.json or accepted.events):
            raise Refused(f"the answer is {JSON} or {EVENTS}: accept both", status=406)
        match message:
            case Request():
                try:
                    self._check(call, message, principal)
                    await self._answer(call, message, principal, accepted)
                except GatewayError as error:
                    _log.debug("request_refused", status=error.http_status, reason=str(error))
                    await call.respond(refusal(error, message.id))
            case Notification():
                await call.respond(_ACCEPTED)  # no notification of this revision travels this way
            case _:
                raise Malformed(
                    "answers are not sent here: retry the request with inputResponses instead",
                    request_id=message.id,
                )

    def _check(self, call: HttpCall, request: Request, principal: Principal) -> None:
        """Checks what the request says of itself.

        Raises:
            InvalidParams: `_meta` lacks something, or is ill-typed.
            HeaderMismatch: a header is missing, or says something else than the body.
            UnsupportedVersion: its revision is not spoken here.
            Overloaded: nothing new is accepted at the moment.
        """
        members = params.fields(request.params)
        said = meta.read_meta(members)
        headers.check(call.texts(), request, self._schema(request, members, principal))
        meta.check_version(said)
        if not self._health.ready():
            raise Overloaded("the gateway is starting or stopping: try again in a moment")

    def _schema(
        self, request: Request, members: params.Fields, principal: Principal
    ) -> msgspec.Raw | None:
        """The schema that says which arguments of the request are repeated in headers; None where none does."""
        if request.method != "tools/call":
            return None
        try:
            return self._sessions.input_schema(params.text(members, "name"), principal)
        except InvalidParams:
            return None  # for the method's reader to refuse

    async def _answer(
        self, call: HttpCall, request: Request, principal: Principal, accepted: Accepted
    ) -> None:
        """Has the request served, until its client is gone.

        Cancellation: the request is cancelled, too.
        """
        exchange = Exchange(
            _open_stream, accepts_json=accepted.json, accepts_events=accepted.events
        )
        cancel = self._sessions.serve_stateless(
            request, principal=principal, transport="streamable-http", outlet=exchange
        )
        try:
            if not await _is_wanted(call, exchange):
                return
            if exchange.events is not None:
                await stream_events(call, exchange.events)
            elif exchange.answer is None:
                await call.respond(_ACCEPTED)
            else:
                status = _status(exchange.answer)
                await call.respond(Reply(status, exchange.answer, JSON))
        finally:
            cancel()


async def _is_wanted(call: HttpCall, exchange: Exchange) -> bool:
    """Waits until it is decided how to answer; says whether the client is still there.

    One that waits for long gets a stream, whose keep-alive comments hold the connection through proxies.
    """
    with trio.move_on_after(limits.SSE_KEEPALIVE_S) as patience:
        await exchange.first_frame_or(call.disconnected)
    if patience.cancelled_caught and not exchange.stream():
        await exchange.first_frame_or(call.disconnected)
    return exchange.mode != "open"


def _open_stream() -> tuple[Outlet, Backlog]:
    backlog = Backlog()
    return Standing(backlog, encode_event), backlog


def _status(answer: bytes) -> int:
    """The HTTP status of an answer. Errors are short: a long one is not read again to find out."""
    if len(answer) > limits.MAX_ERROR_BODY_BYTES:
        return _OK
    message = decode(answer)
    return _STATUS.get(message.code, _OK) if isinstance(message, Failure) else _OK
