"""Streamable HTTP of 2026-07-28: each POST is one request that says everything itself. No sessions, nothing to resume.

Must not know methods, except that calls of tools repeat arguments in headers. The body is the truth; headers that say
something else are refused. A client that disconnects has cancelled.

Source: MCP 2026-07-28, base protocol, transports, "Streamable HTTP".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

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
from gateway.transports.exchange import ACCEPTED, Exchange
from gateway.transports.http import EVENTS, JSON, Accepted, Refused, Reply
from gateway.transports.outlets import Standing
from gateway.transports.refusals import refusal
from gateway.transports.request_head import RequestHead

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

    def take(self, head: RequestHead, principal: Principal, message: Message) -> Reply | Exchange:
        """Takes one message. A request is answered with JSON, or with events where anything precedes the answer.

        Raises:
            Refused: the client accepts neither.
            Malformed: the message is an answer: here nobody has asked.
        """
        accepted = head.accepted
        if not (accepted.json or accepted.events):
            raise Refused(f"the answer is {JSON} or {EVENTS}: accept both", status=406)
        match message:
            case Request():
                try:
                    self._check(head, message, principal)
                    return self._serve(message, principal, accepted)
                except GatewayError as error:
                    _log.debug("request_refused", status=error.http_status, reason=str(error))
                    return refusal(error, message.id)
            case Notification():
                return ACCEPTED  # no notification of this revision travels this way
            case _:
                raise Malformed(
                    "answers are not sent here: retry the request with inputResponses instead",
                    request_id=message.id,
                )

    def _check(self, head: RequestHead, request: Request, principal: Principal) -> None:
        """Checks what the request says of itself.

        Raises:
            InvalidParams: `_meta` lacks something, or is ill-typed.
            HeaderMismatch: a header is missing, or says something else than the body.
            UnsupportedVersion: its revision is not spoken here.
            Overloaded: nothing new is accepted at the moment.
        """
        members = params.fields(request.params)
        said = meta.read_meta(members)
        headers.check(head.texts(), request, self._schema(request, members, principal))
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

    def _serve(self, request: Request, principal: Principal, accepted: Accepted) -> Exchange:
        """Has the request served.

        Raises:
            GatewayError: it is not.
        """
        exchange = _Answer(accepted, patience_s=limits.SSE_KEEPALIVE_S)
        exchange.cancel = self._sessions.serve_stateless(
            request, principal=principal, transport="streamable-http", outlet=exchange
        )
        return exchange


class _Answer(Exchange):
    """The answer of one request, which ends with its connection."""

    survives = False
    cancel: Callable[[], None]
    """Cancels the request; does nothing once it is answered."""

    def left(self) -> None:
        """Nobody waits for an answer any more: the request is cancelled."""
        super().left()
        self.cancel()

    def _open_stream(self) -> tuple[Outlet, Backlog]:
        backlog = Backlog()
        return Standing(backlog, encode_event), backlog

    def _status(self, answer: bytes) -> int:
        """Errors are short: a long answer is not read again to find out."""
        if len(answer) > limits.MAX_ERROR_BODY_BYTES:
            return _OK
        message = decode(answer)
        return _STATUS.get(message.code, _OK) if isinstance(message, Failure) else _OK
