"""How an error of ours is said over HTTP: its status, what the status asks for, and a JSON-RPC error as the body. Pure."""

from __future__ import annotations

from gateway import limits
from gateway.auth.bearer import CHALLENGE
from gateway.errors import GatewayError, Overloaded, Unauthorized
from gateway.jsonrpc.codec import encode, failure
from gateway.jsonrpc.messages import Id
from gateway.transports.http import JSON, Headers, Refused, Reply


def refusal(error: GatewayError, request_id: Id | None = None) -> Reply:
    """The whole answer. `request_id` is that of the refused request, where it is known."""
    headers: Headers = ()
    match error:
        case Unauthorized():
            headers = ((b"www-authenticate", CHALLENGE.encode()),)
        case Overloaded():
            headers = ((b"retry-after", b"%d" % limits.RETRY_AFTER_S),)
        case Refused():
            headers = error.headers
    return Reply(error.http_status, encode(failure(error, request_id)), JSON, headers)
