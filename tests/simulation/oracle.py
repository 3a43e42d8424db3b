"""Judges a run: what was asked, what came back, what each container served, and whether the invariants held.

Knows nothing of actors: it sees clients' requests, what arrives at their outlets, and what servers are sent. The
invariants have the numbers of docs/reliability.md; 0 is a crash that nobody ordered.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import msgspec
import trio

from gateway import limits

SLACK_S = 12.0
"""Beyond its deadline a request may take the sweep, a restart of the sweeper, and a slow disk."""


class Violated(Exception):
    """An invariant did not hold."""

    def __init__(self, invariant: int, what: str) -> None:
        super().__init__(f"invariant {invariant}: {what}")
        self.invariant = invariant
        self.what = what


@dataclass(eq=False)
class Ticket:
    """One request of a client, as an `Outlet`."""

    oracle: Oracle
    number: int
    client: str
    request_id: Any
    method: str
    owner: str
    """Whose container may serve it, under `session` isolation."""
    principal: str
    allowed_s: float
    server: str = ""
    sent_at: float = field(default_factory=trio.current_time)
    sends: int = 1
    """How often the client itself has sent this call: once for each of its rounds."""
    answers: list[dict[str, Any] | None] = field(default_factory=list)
    is_cancelled: bool = False
    is_gone: bool = False
    """Its connection, or its session, has ended."""
    retries: Ticket | None = None
    """The first request of the call that this one goes on with."""
    finished_at: float = 0.0
    heard: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def send(self, frame: bytes, *, skippable: bool = False) -> None:
        """A message before the answer."""
        del skippable
        if self.answers:
            self.oracle.violate(1, f"a message after the answer of request {self.number}")
        message = msgspec.json.decode(frame)
        self.oracle.note("heard", self.number, message.get("method", ""))
        if "id" in message:
            self.asked.append(message)
        self.heard.append(message)
        # It shows that its server works, or that a person is asked.
        self.allowed_s = limits.CALL_TIMEOUT_CAP_S + SLACK_S

    def finish(self, frame: bytes | None) -> None:
        """The answer."""
        self.oracle.finished(self, None if frame is None else msgspec.json.decode(frame))

    @property
    def is_open(self) -> bool:
        """Whether it has no answer yet."""
        return not self.answers

    @property
    def result(self) -> dict[str, Any] | None:
        """What it was answered, if that was a result."""
        answer = self.answers[0] if self.answers else None
        return answer.get("result") if answer is not None else None


class Oracle:
    """What was seen of one run."""

    def __init__(self) -> None:
        self.tickets: list[Ticket] = []
        self.open: dict[int, Ticket] = {}
        self.violations: list[Violated] = []
        self.events: list[str] = []
        self._received: dict[int, int] = {}
        """How often servers were sent each call."""
        self._excess: dict[int, int] = {}
        """How often a server has asked to be sent it again."""

    # --- the trace ---------------------------------------------------------------------------------------------

    def note(self, *what: object) -> None:
        """Writes one event down."""
        self.events.append(f"{trio.current_time():.4f} {' '.join(map(str, what))}")

    def digest(self) -> str:
        """A hash of all that happened."""
        return hashlib.sha256("\n".join(self.events).encode()).hexdigest()[:16]

    def violate(self, invariant: int, what: str) -> None:
        """Writes a violation down; the run goes on."""
        self.note("VIOLATED", invariant, what)
        self.violations.append(Violated(invariant, what))

    # --- requests ----------------------------------------------------------------------------------------------

    def ticket(self, **about: Any) -> Ticket:
        """A new request."""
        ticket = Ticket(oracle=self, number=len(self.tickets) + 1, **about)
        self.tickets.append(ticket)
        self.open[ticket.number] = ticket
        self.note("asks", ticket.number, ticket.client, ticket.method, ticket.server)
        return ticket

    def finished(self, ticket: Ticket, answer: dict[str, Any] | None) -> None:
        """An answer has arrived."""
        self.open.pop(ticket.number, None)
        self.note("answer", ticket.number, _brief(answer))
        ticket.answers.append(answer)
        ticket.finished_at = trio.current_time()
        if len(ticket.answers) > 1:
            self.violate(1, f"request {ticket.number} ({ticket.method}) was answered twice")
        elif answer is None:
            if not (ticket.is_cancelled or ticket.is_gone):
                self.violate(1, f"request {ticket.number} ({ticket.method}) ended without answer")
        elif ticket.is_cancelled and ticket.method != "subscriptions/listen":
            self.violate(1, f"request {ticket.number} was answered after its client cancelled it")
        elif answer.get("id") != ticket.request_id:
            self.violate(1, f"request {ticket.number} got the answer of another: {answer}")
        else:
            self._check_content(ticket, answer)

    def _check_content(self, ticket: Ticket, answer: dict[str, Any]) -> None:
        """A call is answered with what its server said to it, not to another."""
        result = answer.get("result")
        if ticket.method != "tools/call" or result is None:
            return
        content = result.get("content")
        first = ticket.retries or ticket
        if content and content[0]["text"] != f"{ticket.server}:{first.number}":
            self.violate(1, f"call {ticket.number} got the answer of another: {content}")

    def check_overdue(self) -> None:
        """No request waits longer than it may."""
        now = trio.current_time()
        for ticket in list(self.open.values()):
            if now - ticket.sent_at > ticket.allowed_s and ticket.method != "subscriptions/listen":
                del self.open[ticket.number]
                self.violate(
                    1,
                    f"request {ticket.number} ({ticket.method} {ticket.server}) has no answer after "
                    f"{now - ticket.sent_at:.0f} s",
                )

    # --- servers -----------------------------------------------------------------------------------------------

    def served(self, container: Served, number: int) -> None:
        """A server was sent a call."""
        ticket = self.tickets[number - 1]
        count = self._received[number] = self._received.get(number, 0) + 1
        allowed = ticket.sends * (2 if container.repeats else 1)
        if count > allowed + self._excess.get(number, 0):
            self.violate(4, f"call {number} was sent to {container.name} once more")
        owner = {
            "session": ticket.owner,
            "principal": ticket.principal,
            "call": f"call {number}",
            "shared": "",
        }[container.isolation]
        if container.owner is None:
            container.owner = owner
        elif container.owner != owner:
            self.violate(
                2, f"{container.name}, which was {container.owner}'s, was sent a call of {owner}"
            )

    def asked_again(self, number: int) -> None:
        """A server has ended a call with a question: the gateway may send it once more."""
        self._excess[number] = self._excess.get(number, 0) + 1


@dataclass
class Served:
    """Whom one container served."""

    name: str
    isolation: str
    owner: str | None = None
    repeats: bool = False
    """A call may be sent once more though it may have been executed: that is switched on, and its tool only reads."""


def _brief(answer: dict[str, Any] | None) -> str:
    if answer is None:
        return "none"
    if "error" in answer:
        return f"error {answer['error']['code']} {answer['error']['message'][:60]!r}"
    return "input_required" if answer["result"].get("resultType") == "input_required" else "result"
