"""Sessions that really behave, without servers behind them: handshake, ping, echo, late answers, notifications.

The transports are tested against these. Methods a client may call: `initialize`, `ping`, `echo` (answers its params),
`chatty` (a notification, then the answer), `later` (no answer until the test says so), `ask` (a request to the client).
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import trio

from gateway.errors import Overloaded, UnknownMethod
from gateway.jsonrpc.codec import encode, failure
from gateway.jsonrpc.messages import Message, Notification, Request, Result
from gateway.mcp.versions import LATEST, LEGACY
from gateway.ports import Outlet, Principal

_EMPTY = msgspec.Raw(b"{}")


class _Hello(msgspec.Struct, rename="camel"):
    protocol_version: str


class FakeSession:
    """One session. What it received, and whether it was closed, is there to be looked at."""

    def __init__(self, session_id: str, principal: Principal, transport: str) -> None:
        self.id = session_id
        self.principal = principal
        self.transport = transport
        self.protocol_version: str | None = None
        self.received: list[Message] = []
        self.waiting: list[tuple[Request, Outlet]] = []
        self.attached: Outlet | None = None
        self.closed = False
        self.was_closed = trio.Event()
        self.was_detached = trio.Event()
        self.has_waiting = trio.Event()

    def receive(self, message: Message, outlet: Outlet) -> None:
        """Answers at once, but for `later`."""
        self.received.append(message)
        if not isinstance(message, Request):
            return
        match message.method:
            case "initialize":
                self._initialize(message, outlet)
            case "ping":
                outlet.finish(encode(Result(message.id, _EMPTY)))
            case "echo":
                outlet.finish(encode(Result(message.id, message.params or _EMPTY)))
            case "chatty":
                outlet.send(encode(Notification("notifications/message", message.params)))
                outlet.finish(encode(Result(message.id, _EMPTY)))
            case "ask":
                outlet.send(encode(Request(f"ask-{message.id}", "roots/list")))
                self._wait(message, outlet)
            case "later":
                self._wait(message, outlet)
            case unknown:
                error = UnknownMethod(f"there is no method {unknown!r}")
                outlet.finish(encode(failure(error, message.id)))

    def answer(self, params: msgspec.Raw = _EMPTY) -> None:
        """Answers the oldest waiting request."""
        request, outlet = self.waiting.pop(0)
        outlet.finish(encode(Result(request.id, params)))

    def notify(self, method: str = "notifications/tools/list_changed") -> None:
        """Sends what belongs to no request."""
        if self.attached is not None:
            self.attached.send(encode(Notification(method)))

    def attach(self, outlet: Outlet) -> None:
        """The newest stream takes over; the one before it ends."""
        previous, self.attached = self.attached, outlet
        if previous is not None and previous is not outlet:
            previous.finish(None)

    def detach(self, outlet: Outlet) -> None:
        """Forgets the outlet if it is the attached one."""
        if self.attached is outlet:
            self.attached = None
            self.was_detached.set()

    def close(self) -> None:
        """Ends every exchange, then the stream."""
        self.closed = True
        self.was_closed.set()
        for _, outlet in self.waiting:
            outlet.finish(None)
        self.waiting.clear()
        if self.attached is not None:
            self.attached.finish(None)
            self.attached = None

    def _wait(self, request: Request, outlet: Outlet) -> None:
        self.waiting.append((request, outlet))
        self.has_waiting.set()

    def _initialize(self, request: Request, outlet: Outlet) -> None:
        try:
            hello = msgspec.json.decode(request.params or b"{}", type=_Hello)
        except msgspec.ValidationError:
            error = UnknownMethod("initialize needs a protocolVersion")
            outlet.finish(encode(failure(error, request.id)))
            return
        self.protocol_version = (
            hello.protocol_version if hello.protocol_version in LEGACY else LATEST
        )
        result = {
            "protocolVersion": self.protocol_version,
            "capabilities": {"tools": {"listChanged": True}},
            "serverInfo": {"name": "fake", "version": "0"},
        }
        outlet.finish(encode(Result(request.id, msgspec.Raw(msgspec.json.encode(result)))))


class FakeSessions:
    """All sessions, closed ones included, in order of opening."""

    def __init__(self) -> None:
        self.all: list[FakeSession] = []
        self.full = False
        self.stateless: list[FakeSession] = []
        """One for each request of the modern era; closed when that was cancelled."""
        self.schemas: dict[str, msgspec.Raw] = {}

    def serve_stateless(
        self, request: Request, *, principal: Principal, transport: str, outlet: Outlet
    ) -> Callable[[], None]:
        """Serves the request in a session of its own, unless `full`."""
        if self.full:
            raise Overloaded("too many sessions are open: try again later")
        session = FakeSession(f"stateless-{len(self.stateless) + 1}", principal, transport)
        self.stateless.append(session)
        session.receive(request, outlet)

        def cancel() -> None:
            if session.waiting:
                session.waiting.clear()
                session.close()

        return cancel

    def input_schema(self, tool: str, principal: Principal) -> msgspec.Raw | None:  # noqa: ARG002 -- the Protocol's signature
        """One of `schemas`."""
        return self.schemas.get(tool)

    def open(self, principal: Principal, *, transport: str) -> FakeSession:
        """Opens a session, unless `full`."""
        if self.full:
            raise Overloaded("too many sessions are open: try again later")
        session = FakeSession(f"session-{len(self.all) + 1}", principal, transport)
        self.all.append(session)
        return session

    def find(self, session_id: str, principal: Principal) -> FakeSession | None:
        """The open session of that id, if it belongs to that principal."""
        for session in self.all:
            if (session.id, session.principal, session.closed) == (session_id, principal, False):
                return session
        return None


class FakeHealth:
    """Ready until told otherwise."""

    def __init__(self) -> None:
        self.accepting = True
        self.in_trouble = False

    def ready(self) -> bool:
        """Whether new work is accepted."""
        return self.accepting

    def degraded(self) -> bool:
        """Whether some of it cannot be done."""
        return self.in_trouble

    def report(self) -> dict[str, object]:
        """Something that must not be shown to strangers."""
        return {"servers": ["private-name"]}
