"""The simulated clients: they ask, cancel, answer or do not, leave and come back. Each request gets a ticket."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec

from actors.session import Session
from actors.sessions import SessionRegistry
from gateway import limits
from gateway.errors import GatewayError
from gateway.jsonrpc import codec
from gateway.jsonrpc.messages import Message, Request
from gateway.ports import Principal
from tests.simulation.oracle import SLACK_S, Oracle, Ticket
from tests.simulation.servers import MODERN, PREFIX

CAPABILITIES: tuple[dict[str, Any], ...] = (
    {},
    {"roots": {"listChanged": True}},
    {"sampling": {}, "elicitation": {}, "roots": {}},
)
_LIST_S = limits.UNCACHED_LIST_WAIT_S + SLACK_S
_SHORT_S = SLACK_S


class Stream:
    """The outlet of messages that belong to no request."""

    def __init__(self, oracle: Oracle, client: str) -> None:
        self.asked: list[dict[str, Any]] = []
        self.is_ended = False
        self._oracle = oracle
        self._client = client

    def send(self, frame: bytes, *, skippable: bool = False) -> None:
        """A message."""
        del skippable
        message = msgspec.json.decode(frame)
        self._oracle.note("told", self._client, message.get("method", ""))
        if "id" in message:
            self.asked.append(message)

    def finish(self, frame: bytes | None) -> None:
        """The stream has ended."""
        if frame is not None:
            self._oracle.violate(1, f"an answer on the stream of {self._client}: {frame!r}")
        self.is_ended = True


class Client:
    """What both kinds of client have."""

    def __init__(self, name: str, principal: Principal, oracle: Oracle) -> None:
        self.name = name
        self.principal = principal
        self.tickets: list[Ticket] = []
        self.is_gone = False
        self._oracle = oracle
        self._last = 0

    def open_tickets(self) -> list[Ticket]:
        """Its requests that wait."""
        return [ticket for ticket in self.tickets if ticket.is_open and not ticket.is_cancelled]

    def _ticket(
        self, method: str, allowed_s: float, *, request_id: Any = None, server: str = ""
    ) -> Ticket:
        if request_id is None:
            self._last += 1
            request_id = self._last
        ticket = self._oracle.ticket(
            client=self.name,
            request_id=request_id,
            method=method,
            owner=self.owner,
            principal=self.principal.name,
            allowed_s=allowed_s,
            server=server,
        )
        self.tickets.append(ticket)
        return ticket

    @property
    def owner(self) -> str:
        """Who its containers belong to under `session` isolation."""
        return self.name

    def call(self, server: str, timeout_s: float, *, progress: bool) -> Ticket:
        """Calls a tool of a server."""
        ticket = self._ticket(
            "tools/call", limits.CALL_TIMEOUT_S + timeout_s + SLACK_S, server=server
        )
        members: dict[str, Any] = {
            "name": f"{server}__echo",
            "arguments": {"n": ticket.number},
        }
        if progress:
            members["_meta"] = {"progressToken": f"p{ticket.number}"}
        self.send(ticket, "tools/call", members)
        return ticket

    def list_tools(self) -> None:
        """Lists the tools."""
        self.send(self._ticket("tools/list", _LIST_S), "tools/list", {})

    def simple(self, method: str, members: dict[str, Any]) -> None:
        """Asks for something that is answered soon, whatever the answer."""
        self.send(self._ticket(method, _SHORT_S), method, members)

    def subscribe(self, server: str) -> None:
        """Subscribes to a resource, which nobody has."""
        ticket = self._ticket("resources/subscribe", 2 * limits.CALL_TIMEOUT_S + SLACK_S)
        self.send(ticket, "resources/subscribe", {"uri": f"file:///{server}"})

    def send(self, ticket: Ticket, method: str, members: dict[str, Any]) -> None:
        """Sends a request."""
        raise NotImplementedError


class LegacyClient(Client):
    """A client with a session."""

    def __init__(
        self,
        name: str,
        principal: Principal,
        oracle: Oracle,
        session: Session,
        capabilities: dict[str, Any],
    ) -> None:
        super().__init__(name, principal, oracle)
        self.session = session
        self.streams: list[Stream] = []
        self.attach()
        self.simple(
            "initialize",
            {
                "protocolVersion": "2025-11-25",
                "capabilities": capabilities,
                "clientInfo": {"name": name, "version": "1"},
            },
        )
        self._tell("notifications/initialized", {})

    def send(self, ticket: Ticket, method: str, members: dict[str, Any]) -> None:
        """Sends a request."""
        if self.session.is_closed:
            ticket.is_gone = True
        self.session.receive(_request(ticket.request_id, method, members), ticket)

    def cancel(self, ticket: Ticket) -> None:
        """No longer wants an answer."""
        ticket.is_cancelled = True
        self._tell("notifications/cancelled", {"requestId": ticket.request_id})

    def reuse_id(self, ticket: Ticket, server: str) -> None:
        """Breaks the rule: the id of a request that waits is used once more."""
        again = self._ticket("tools/list", _LIST_S, request_id=ticket.request_id, server=server)
        self.send(again, "tools/list", {})

    def answer(self, which: int, *, refuse: bool) -> None:
        """Answers one of the questions that it was asked."""
        boxes: list[list[dict[str, Any]]] = [stream.asked for stream in self.streams]
        boxes += [ticket.asked for ticket in self.tickets]
        boxes = [box for box in boxes if box]
        if not boxes:
            return
        box = boxes[which % len(boxes)]
        question = box.pop(which % len(box))
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": question["id"]}
        if refuse:
            answer["error"] = {"code": -1, "message": "no"}
        else:
            answer["result"] = {"action": "accept", "content": {}, "roots": []}
        self._receive(answer)

    def attach(self) -> None:
        """Opens a stream, perhaps one more."""
        if not self.session.is_closed:
            stream = Stream(self._oracle, self.name)
            self.streams.append(stream)
            self.session.attach(stream)

    def detach(self) -> None:
        """One of its streams breaks."""
        if self.streams:
            self.session.detach(self.streams.pop())

    def close(self) -> None:
        """Leaves in order."""
        for ticket in self.open_tickets():
            ticket.is_gone = True
        self.session.close()
        self.is_gone = True

    def _tell(self, method: str, members: dict[str, Any]) -> None:
        self._receive({"jsonrpc": "2.0", "method": method, "params": members})

    def _receive(self, message: dict[str, Any]) -> None:
        self.session.receive(_decode(message), _Nowhere())

    def vanish(self) -> None:
        """Leaves without a word: its streams break, its session is left to expire."""
        for ticket in self.open_tickets():
            ticket.is_gone = True
        while self.streams:
            self.detach()
        self.is_gone = True


class PipeClient(LegacyClient):
    """A modern client on a pipe: its requests come through a session that is never initialized."""

    def __init__(
        self,
        name: str,
        principal: Principal,
        oracle: Oracle,
        session: Session,
        capabilities: dict[str, Any],
    ) -> None:
        self._said = capabilities
        super().__init__(name, principal, oracle, session, capabilities)

    def simple(self, method: str, members: dict[str, Any]) -> None:
        """Never initializes."""
        if method != "initialize":
            super().simple(method, members)

    @property
    def owner(self) -> str:
        """Without a session, a principal is all that is known of who asks."""
        return self.principal.name

    def send(self, ticket: Ticket, method: str, members: dict[str, Any]) -> None:
        """Sends a request that says who asks."""
        super().send(ticket, method, _stamped(members, self._said))


class ModernClient(Client):
    """A client of the modern era: every request stands for itself."""

    def __init__(
        self,
        name: str,
        principal: Principal,
        oracle: Oracle,
        registry: SessionRegistry,
        capabilities: dict[str, Any],
    ) -> None:
        super().__init__(name, principal, oracle)
        self._registry = registry
        self._capabilities = capabilities
        self._cancels: dict[int, Callable[[], None]] = {}
        self._sent: dict[int, dict[str, Any]] = {}

    @property
    def owner(self) -> str:
        """Without a session, a principal is all that is known of who asks."""
        return self.principal.name

    def send(self, ticket: Ticket, method: str, members: dict[str, Any]) -> None:
        """Sends a request that says who asks."""
        self._sent[ticket.number] = members
        try:
            self._cancels[ticket.number] = self._registry.serve_stateless(
                _request(ticket.request_id, method, _stamped(members, self._capabilities)),
                principal=self.principal,
                transport="test",
                outlet=ticket,
            )
        except GatewayError as error:
            ticket.finish(codec.encode(codec.failure(error, ticket.request_id)))

    def cancel(self, ticket: Ticket) -> None:
        """Leaves the request's stream."""
        ticket.is_cancelled = True
        self._cancels[ticket.number]()

    def listen(self) -> None:
        """Subscribes to changes."""
        ticket = self._ticket("subscriptions/listen", limits.CALL_TIMEOUT_CAP_S)
        wanted = {"toolsListChanged": True, "resourceSubscriptions": ["file:///x"]}
        self.send(ticket, "subscriptions/listen", {"notifications": wanted})

    def unlisten(self) -> None:
        """Ends a subscription."""
        for ticket in self.open_tickets():
            if ticket.method == "subscriptions/listen":
                self.cancel(ticket)
                return

    def retry(self, which: int, *, refuse: bool) -> None:
        """Comes back with answers to what the result of one of its calls asked."""
        asked = [
            ticket
            for ticket in self.tickets
            if (ticket.result or {}).get("resultType") == "input_required"
        ]
        if not asked:
            return
        first = asked[which % len(asked)]
        result = first.result or {}
        # It is the same call: what servers are sent carries the number of its first request.
        ticket = self._ticket("tools/call", first.allowed_s, server=first.server)
        original = self._oracle.tickets[self._sent[first.number]["arguments"]["n"] - 1]
        original.sends += 1
        answers = {
            name: {"action": "decline" if refuse else "accept", "content": {}, "roots": []}
            for name in result.get("inputRequests", {})
        }
        members = {**self._sent[first.number], "inputResponses": answers}
        if "requestState" in result:
            members["requestState"] = result["requestState"]
        ticket.retries = original
        self.send(ticket, "tools/call", members)

    def close(self) -> None:
        """Leaves: all its streams break."""
        for ticket in self.open_tickets():
            ticket.is_gone = True
            self.cancel(ticket)
        self.is_gone = True

    vanish = close


class _Nowhere:
    """The outlet of what is owed no answer."""

    def send(self, frame: bytes, *, skippable: bool = False) -> None:
        """Takes it."""

    def finish(self, frame: bytes | None) -> None:
        """Takes it."""


def _stamped(members: dict[str, Any], capabilities: dict[str, Any]) -> dict[str, Any]:
    meta = {
        f"{PREFIX}protocolVersion": MODERN,
        f"{PREFIX}clientCapabilities": capabilities,
        **members.get("_meta", {}),
    }
    return {**members, "_meta": meta}


def _request(request_id: Any, method: str, members: dict[str, Any]) -> Request:
    message = _decode({"jsonrpc": "2.0", "id": request_id, "method": method, "params": members})
    assert isinstance(message, Request)
    return message


def _decode(message: dict[str, Any]) -> Message:
    return codec.decode(json.dumps(message).encode())
