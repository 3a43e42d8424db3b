"""The HTTP face of the gateway as one ASGI application: who may ask, what is asked, how a refusal is said.

The order is Host and Origin, then the token, then the route; only probes, preflights, the help page, and addresses that
do not exist are answered before the token. Must not know the server that carries it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import partial
from typing import Any, Final

from gateway import limits
from gateway.auth.bearer import Authenticator
from gateway.auth.origin import NetworkRules
from gateway.errors import GatewayError
from gateway.ports import Health, Principal, Sessions
from gateway.telemetry.log import get_logger
from gateway.transports.cors import preflight_headers, sharing_headers
from gateway.transports.http import (
    CLOSE,
    EVENTS,
    App,
    ClientLeft,
    Headers,
    HttpCall,
    Receive,
    Refused,
    Reply,
    Send,
)
from gateway.transports.mcp_endpoint import McpEndpoint
from gateway.transports.refusals import refusal
from gateway.transports.sse import Sse, session_parameter
from gateway.transports.streamable_http import SESSION_HEADER
from gateway.transports.websocket import WebSocket
from gateway.transports.websocket_call import WebSocketCall
from gateway.web.health import health_page
from gateway.web.help import SECURITY_HEADERS, help_page
from gateway.web.page import Page

_Endpoint = Callable[[HttpCall, Principal], Awaitable[None]]

_HEALTH: Final = "/health"
_ROOT: Final = "/"
_WEBSOCKET: Final = "/ws"
_WANTED_HEADERS: Final = b"access-control-request-headers"
_READS: Final = frozenset({"GET", "HEAD"})
_log = get_logger("http")


def make_app(
    sessions: Sessions,
    health: Health,
    *,
    auth: Authenticator,
    rules: NetworkRules,
    program: str,
) -> App:
    """The application. `program` is the command that starts this gateway, for the help page."""
    front = _Front(sessions, health, auth=auth, rules=rules, program=program)

    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await front.serve_websocket(WebSocketCall(scope, receive, send))
        elif scope["type"] == "http":
            await front.serve(HttpCall(scope, receive, send))

    return app


class _Front:
    """Checks a request, finds its endpoint, and says what went wrong."""

    def __init__(
        self,
        sessions: Sessions,
        health: Health,
        *,
        auth: Authenticator,
        rules: NetworkRules,
        program: str,
    ) -> None:
        self._health = health
        self._auth = auth
        self._rules = rules
        self._program = program
        mcp = McpEndpoint(sessions, health)
        sse = Sse(sessions, health)
        self._websocket = WebSocket(sessions, health)
        self._routes: Mapping[str, Mapping[str, _Endpoint]] = {
            "/mcp": {
                "GET": mcp.get,
                "POST": mcp.post,
                "DELETE": mcp.delete,
            },
            "/sse": {"GET": sse.get, "POST": sse.post},
            "/messages": {"POST": sse.post},
            _WEBSOCKET: {"GET": _ask_for_upgrade},
        }

    async def serve(self, call: HttpCall) -> None:
        """Answers one request. An error of ours costs that request only, and is logged."""
        await _guard(call, partial(self._serve, call))

    async def serve_websocket(self, call: WebSocketCall) -> None:
        """Serves one WebSocket, or refuses its handshake. An error of ours costs that connection only, and is logged."""
        await _guard(call, partial(self._serve_websocket, call))

    async def _serve(self, call: HttpCall) -> None:
        path = call.path.rstrip("/") or _ROOT
        if path == _HEALTH and call.method in _READS:
            await call.respond(_reply(health_page(self._health)))
            return
        self._check_network(call)
        if call.method == "OPTIONS" and call.extra_headers:
            await call.respond(Reply(204, headers=preflight_headers(call.text(_WANTED_HEADERS))))
            return
        if path == _ROOT and _wants_help(call):
            await call.respond(self._help(call))
            return
        endpoints = self._endpoints(call, path)
        principal = self._auth.authenticate(call.header(b"authorization"))
        endpoint = endpoints.get(call.method)
        if endpoint is None:
            allowed = ", ".join(endpoints)
            raise Refused(
                f"{path} takes {allowed}", status=405, headers=((b"allow", allowed.encode()),)
            )
        await endpoint(call, principal)

    async def _serve_websocket(self, call: WebSocketCall) -> None:
        self._check_network(call)
        if call.path.rstrip("/") != _WEBSOCKET:
            raise Refused(f"there is no WebSocket at this address: try {_WEBSOCKET}", status=404)
        principal = self._auth.authenticate(call.header(b"authorization"))
        await self._websocket.serve(call, principal)

    def _check_network(self, call: HttpCall | WebSocketCall) -> None:
        """Raises `Forbidden` for a wrong Host or Origin; arranges for an allowed page to read whatever is answered."""
        if call.header(b"content-length") is not None and call.header(b"transfer-encoding"):
            # RFC 9112 §6.3: an attempt to smuggle a second request past a proxy that believes the other of the two.
            raise Refused(
                "a body has either a Content-Length or a Transfer-Encoding",
                status=400,
                headers=CLOSE,
            )
        origin = call.text(b"origin")
        if origin is not None and self._rules.shares_with(origin):
            call.extra_headers = sharing_headers(origin)
        self._rules.check_host(call.text(b"host"))
        self._rules.check_origin(origin)

    def _endpoints(self, call: HttpCall, path: str) -> Mapping[str, _Endpoint]:
        """The methods of an address. The root serves both transports and tells them apart by what only one has."""
        if path == _ROOT:
            path = "/sse" if _is_sse(call) else "/mcp"
        if path not in self._routes:
            raise Refused(
                "there is nothing at this address: try /mcp, /sse, /ws or /health", status=404
            )
        return self._routes[path]

    def _help(self, call: HttpCall) -> Reply:
        host = call.text(b"host") or f"localhost:{limits.DEFAULT_PORT}"
        page = help_page(
            f"{call.scheme}://{host}", program=self._program, token_required=self._auth.required
        )
        return _reply(page, SECURITY_HEADERS)


async def _guard(call: HttpCall | WebSocketCall, serve: Callable[[], Awaitable[None]]) -> None:
    """Serves, and says what went wrong."""
    try:
        await serve()
    except ClientLeft:
        _log.debug("client_left", path=call.path)
    except GatewayError as error:
        await _refuse(call, error)
    except Exception as error:  # noqa: BLE001 -- the edge: one broken request must not end the others
        _log.crash("request_failed", error, method=call.method, path=call.path)
        await _refuse(call, GatewayError("the gateway failed on this request; its log says how"))


async def _ask_for_upgrade(call: HttpCall, principal: Principal) -> None:  # noqa: ARG001 -- an endpoint's signature
    """Says what the address is for.

    Raises:
        Refused: always.
    """
    raise Refused(
        "this is for WebSocket clients: ask for an upgrade",
        status=426,
        headers=((b"upgrade", b"websocket"),),
    )


def _wants_help(call: HttpCall) -> bool:
    """Whether the root was opened by a person: anything that does not ask for an event stream by name."""
    return call.method in _READS and EVENTS not in call.accepted().named


def _is_sse(call: HttpCall) -> bool:
    """Whether a request to the root belongs to the SSE transport and not to Streamable HTTP."""
    if call.method == "GET":
        return call.header(SESSION_HEADER) is None
    return session_parameter(call) is not None


def _reply(page: Page, headers: Headers = ()) -> Reply:
    return Reply(
        page.status, page.body, page.content_type, ((b"cache-control", b"no-store"), *headers)
    )


async def _refuse(call: HttpCall | WebSocketCall, error: GatewayError) -> None:
    """Says an error: its status, what the status asks for, and a JSON-RPC error as the body."""
    if call.started:
        return
    _log.debug("request_refused", status=error.http_status, path=call.path, reason=str(error))
    await call.respond(refusal(error))
