"""What every HTTP request meets first: who may ask, what is served where, how a refusal is said.

The order is Host and Origin, then the token, then the route; only probes, preflights, the help page, and addresses that
do not exist are answered before the token. All of it is decided at once, from the head and the body; must not know how
these travel: the fast lane and ASGI share it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import msgspec

from gateway import limits
from gateway.auth.bearer import Authenticator
from gateway.auth.origin import NetworkRules
from gateway.errors import GatewayError
from gateway.ports import Health, Principal, Sessions
from gateway.telemetry.log import get_logger
from gateway.transports.cors import preflight_headers, sharing_headers
from gateway.transports.exchange import Exchange
from gateway.transports.http import CLOSE, EVENTS, Headers, HttpCall, Refused, Reply
from gateway.transports.mcp_endpoint import McpEndpoint
from gateway.transports.refusals import refusal
from gateway.transports.request_head import RequestHead
from gateway.transports.sse import Sse, session_parameter
from gateway.transports.streamable_http import SESSION_HEADER
from gateway.web.health import health_page
from gateway.web.help import SECURITY_HEADERS, help_page
from gateway.web.page import Page
from gateway.web.status import status_page

_HEALTH: Final = "/health"
_STATUS: Final = "/status"
_ROOT: Final = "/"
_WEBSOCKET: Final = "/ws"
_WANTED_HEADERS: Final = b"access-control-request-headers"
_READS: Final = frozenset({"GET", "HEAD"})
_log = get_logger("http")


class Inlet(Protocol):
    """An endpoint's POST: takes a whole body and returns at once."""

    def check(self, head: RequestHead) -> None:
        """Looks at the head before the body comes.

        Raises:
            Refused: the body need not come.
        """

    def take(self, head: RequestHead, principal: Principal, body: bytes) -> Reply | Exchange:
        """Takes what came: gives the answer, or where it is in the making.

        Raises:
            GatewayError: it is refused.
        """


Service = Callable[[HttpCall, Principal], Awaitable[None]]
"""Any other method of an endpoint: serves a call to its end."""


class Posting(msgspec.Struct, frozen=True):
    """A POST that may send its body."""

    inlet: Inlet
    principal: Principal


class Serving(msgspec.Struct, frozen=True):
    """A request that is served without its body."""

    service: Service
    principal: Principal


class _Found(msgspec.Struct, frozen=True):
    """Where a head leads that has passed all but the question who asks."""

    inlet: Inlet


class Front:
    """Finds what a request is for. `program` is the command that starts this gateway, for the help page."""

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
        self._routes: Mapping[str, Mapping[str, Inlet | Service]] = {
            "/mcp": {"GET": mcp.get, "POST": mcp, "DELETE": mcp.delete},
            "/sse": {"GET": sse.get, "POST": sse},
            "/messages": {"POST": sse},
            _WEBSOCKET: {"GET": _ask_for_upgrade},
            _STATUS: {"GET": self._tell_status},
        }

    def admit(self, head: RequestHead) -> Reply | Posting | Serving:
        """What a request is for; a reply where nothing more has to be known of it.

        Raises:
            GatewayError: it is refused.
        """
        if isinstance(head.finding, _Found):
            # The rules and the routes stay the same; who may ask can change.
            return Posting(head.finding.inlet, self._authenticate(head))
        path = head.path.rstrip("/") or _ROOT
        if path == _HEALTH and head.method in _READS:
            return _reply(health_page(self._health))
        self._check_network(head)
        if head.method == "OPTIONS" and head.extra_headers:
            return Reply(204, headers=preflight_headers(head.text(_WANTED_HEADERS)))
        if path == _ROOT and _wants_help(head):
            return self._help(head)
        endpoints = self._endpoints(head, path)
        principal = self._authenticate(head)
        endpoint = endpoints.get(head.method)
        if endpoint is None:
            allowed = ", ".join(endpoints)
            raise Refused(
                f"{path} takes {allowed}", status=405, headers=((b"allow", allowed.encode()),)
            )
        if callable(endpoint):
            return Serving(endpoint, principal)
        endpoint.check(head)
        head.finding = _Found(endpoint)
        return Posting(endpoint, principal)

    def take(self, head: RequestHead, posting: Posting, body: bytes) -> Reply | Exchange:
        """Has the endpoint take a body. Never raises: what goes wrong is a reply."""
        try:
            return posting.inlet.take(head, posting.principal, body)
        except Exception as error:  # noqa: BLE001 -- the edge: one broken request must not end the others
            return explain(head, error)

    def admit_websocket(self, head: RequestHead) -> Principal:
        """Who asks for a WebSocket.

        Raises:
            GatewayError: they get none.
        """
        self._check_network(head)
        if head.path.rstrip("/") != _WEBSOCKET:
            raise Refused(f"there is no WebSocket at this address: try {_WEBSOCKET}", status=404)
        return self._authenticate(head)

    def _authenticate(self, head: RequestHead) -> Principal:
        return self._auth.authenticate(head.headers.get(b"authorization"))

    def _check_network(self, head: RequestHead) -> None:
        """Arranges for an allowed page to read whatever is answered.

        Raises:
            Forbidden: a wrong Host or Origin.
            Refused: two lengths.
        """
        if head.headers.get(b"content-length") is not None and head.headers.get(
            b"transfer-encoding"
        ):
            # RFC 9112 §6.3: an attempt to smuggle a second request past a proxy that believes the other of the two.
            raise Refused(
                "a body has either a Content-Length or a Transfer-Encoding",
                status=400,
                headers=CLOSE,
            )
        origin = head.text(b"origin")
        if origin is not None and self._rules.shares_with(origin):
            head.extra_headers = sharing_headers(origin)
        self._rules.check_host(head.text(b"host"))
        self._rules.check_origin(origin)

    def _endpoints(self, head: RequestHead, path: str) -> Mapping[str, Inlet | Service]:
        """The methods of an address. The root serves both transports and tells them apart by what only one has."""
        if path == _ROOT:
            path = "/sse" if _is_sse(head) else "/mcp"
        if path not in self._routes:
            raise Refused(
                "there is nothing at this address: try /mcp, /sse, /ws, /health or /status",
                status=404,
            )
        return self._routes[path]

    async def _tell_status(self, call: HttpCall, principal: Principal) -> None:  # noqa: ARG002 -- a service's signature
        """Tells whoever may use the gateway how it is."""
        await call.respond(_reply(status_page(self._health)))

    def _help(self, head: RequestHead) -> Reply:
        host = head.text(b"host") or f"localhost:{limits.DEFAULT_PORT}"
        page = help_page(
            f"{head.scheme}://{host}", program=self._program, token_required=self._auth.required
        )
        return _reply(page, SECURITY_HEADERS)


def explain(head: RequestHead, error: Exception) -> Reply:
    """What is said of an error: a JSON-RPC error, with its status. One of ours is logged, and tells nothing inside."""
    if isinstance(error, GatewayError):
        _log.debug("request_refused", status=error.http_status, path=head.path, reason=str(error))
        return refusal(error)
    _log.crash("request_failed", error, method=head.method, path=head.path)
    return refusal(GatewayError("the gateway failed on this request; its log says how"))


def session_of(head: RequestHead) -> str | None:
    """The session that a request names, whether there is one of that name or not."""
    named = head.text(SESSION_HEADER)
    return session_parameter(head) if named is None else named


async def _ask_for_upgrade(call: HttpCall, principal: Principal) -> None:  # noqa: ARG001 -- a service's signature
    """Says what the address is for.

    Raises:
        Refused: always.
    """
    raise Refused(
        "this is for WebSocket clients: ask for an upgrade",
        status=426,
        headers=((b"upgrade", b"websocket"),),
    )


def _wants_help(head: RequestHead) -> bool:
    """Whether the root was opened by a person: anything that does not ask for an event stream by name."""
    return head.method in _READS and EVENTS not in head.accepted.named


def _is_sse(head: RequestHead) -> bool:
    """Whether a request to the root belongs to the SSE transport and not to Streamable HTTP."""
    if head.method == "GET":
        return head.headers.get(SESSION_HEADER) is None
    return session_parameter(head) is not None


def _reply(page: Page, headers: Headers = ()) -> Reply:
    return Reply(
        page.status, page.body, page.content_type, ((b"cache-control", b"no-store"), *headers)
    )
