"""What must hold: at any time, and after the end.

White-box where an invariant is about what is inside: tables, queues, tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from actors.session import Session
from gateway import limits
from tests.simulation.oracle import Ticket

if TYPE_CHECKING:
    from tests.simulation.world import World

STEADY_S: Final = 8.0
"""How long a call of the steady server may take, whatever the others do: its own start and call take 0.3 s, and starts of
others that hang hold up a start for a few seconds."""


class Checks:
    """Looks at a world, and tells its oracle what is wrong."""

    def __init__(self, world: World) -> None:
        self._world = world

    def bounds(self) -> None:
        """No table and no queue is longer than it may be."""
        sessions = self._world.gateway.sessions
        desk = sessions.desk
        self._bound("sessions", len(sessions), limits.MAX_SESSIONS)
        self._bound("stateless calls", len(desk._calls), limits.MAX_STATELESS_CALLS)
        self._bound("listeners", len(desk._listeners), limits.MAX_LISTENERS)
        for call in desk._calls._calls.values():
            self._bound("questions of a call", len(call._asked), limits.MAX_SERVER_REQUESTS)
        for session in sessions._sessions.values():
            self._check_session(session)
        for pool in self._world.pools():
            self._bound("mail of a pool", pool._mailbox.depth, 1)
            for one in pool._fleet:
                if one.upstream is not None:
                    asked = len(one.upstream._questions)
                    bound = limits.MAX_SERVER_REQUESTS * (1 + limits.MAX_STATELESS_CALLS)
                    self._bound("questions of a server", asked, bound)
        for name in self._world.characters:
            live = sum(1 for link in self._world.engine.live if link.character.name == name)
            most = max(
                one.max for one, _ in self._world.engine.characters.values() if one.name == name
            )
            self._bound(f"containers of {name}", live, 2 * most * self._world.versions[name])

    def _check_session(self, session: Session) -> None:
        waiting = sum(
            len(part.waiting) for part in (session._calls, session._waits, session._stateless)
        )
        self._bound("requests of a session", waiting, limits.MAX_INFLIGHT_PER_SESSION)
        self._bound("questions to a client", len(session._back_channel), limits.MAX_SERVER_REQUESTS)

    def _bound(self, what: str, count: int, bound: int) -> None:
        if count > bound:
            self._world.oracle.violate(6, f"{count} {what}, {bound} are allowed")

    def steady(self) -> None:
        """Calls of the server without troubles succeeded, and soon, whatever became of the others."""
        for ticket in self._world.steady:
            if ticket.is_cancelled or ticket.is_gone or ticket.is_open:
                continue
            if (took_s := ticket.finished_at - ticket.sent_at) > STEADY_S:
                self._world.oracle.violate(
                    5, f"call {ticket.number} of the steady server took {took_s:.1f} s"
                )
            if ticket.result is None and not _is_own_fault(ticket):
                self._world.oracle.violate(
                    5, f"a call of the steady server failed: {ticket.answers}"
                )

    def left(self) -> None:
        """After the end nothing of the gateway is left."""
        if left := [link.name for link in self._world.engine.live]:
            self._world.oracle.violate(3, f"containers are left: {left}")
        if self._world.engine.starting:
            self._world.oracle.violate(3, f"{self._world.engine.starting} starts are under way")
        sessions = self._world.gateway.sessions
        for what, count in (
            ("sessions", len(sessions)),
            ("stateless calls", len(sessions.desk._calls)),
            ("owners of calls", len(sessions.desk._calls._sending)),
            ("listeners", len(sessions.desk._listeners)),
            ("waiting calls", sum(len(pool._waiting) for pool in self._world.pools())),
            ("containers in pools", sum(len(list(pool._fleet)) for pool in self._world.pools())),
        ):
            if count:
                self._world.oracle.violate(3, f"{count} {what} are left")
        for ticket in self._world.oracle.open.values():
            self._world.oracle.violate(1, f"request {ticket.number} ({ticket.method}) never ended")


def _is_own_fault(ticket: Ticket) -> bool:
    """Whether the client asked for too much at once, or the gateway was shutting down."""
    text = msgspec.json.encode(ticket.answers[0]).decode()
    return any(
        sign in text for sign in ("wait for an answer already", "calls are open", "shutting")
    )
