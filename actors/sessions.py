"""All client sessions: opening, finding, expiring, and telling them that lists changed.

Implements `gateway.ports.Sessions`. Must not know transports.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
import trio

from actors.call_log import CallLog
from actors.house import Door
from actors.kit.guard import guard
from actors.last_words import LastWords
from actors.listings import Listings
from actors.reports import Reports
from actors.server_request import ServerRequest
from actors.session import Session
from actors.session_store import SessionStore
from actors.stateless import StatelessDesk
from actors.task_ids import TaskIds
from gateway import limits
from gateway.errors import GatewayError, InvalidParams, Overloaded, UnknownTarget
from gateway.jsonrpc.messages import Notification, Request
from gateway.mcp import params
from gateway.mcp.identity import SERVER_INFO
from gateway.mcp.listing import ServerLists
from gateway.ports import ClientSession, Outlet, Principal
from gateway.telemetry.log import get_logger
from gateway.telemetry.refusals import refused

log = get_logger("sessions")

_SESSION_ID_BYTES = 24
_INSTANCE_BYTES = 8
RESUMABLE: Final = "streamable-http"
"""The transport whose clients name their session with each request, and so can come back to it."""


class SessionRegistry(Reports):
    """The sessions of one gateway; also what they see of it, and where pools send what concerns one client.

    Args:
        listings: what all servers offer.
        doors: the servers by name; their owner changes it in place, so a reload is seen at once.
        words: keeps what servers wrote on their stderr.
        call_log: where ended calls are noted.
        store: keeps sessions for the next gateway; None where they end with this one.
    """

    def __init__(
        self,
        listings: Listings,
        doors: Mapping[str, Door],
        *,
        words: LastWords,
        call_log: CallLog,
        store: SessionStore | None = None,
    ) -> None:
        self.listings = listings
        self._words = words
        self.call_log = call_log
        self._store = store
        self._leaving = False
        """Sessions are closed by the gateway: their clients may come back to another one."""
        self.draining = False
        self.task_ids = TaskIds()
        self.desk = StatelessDesk(
            self, server_info=SERVER_INFO, instance=secrets.token_hex(_INSTANCE_BYTES)
        )
        self.doors = doors
        self._sessions: dict[str, Session] = {}
        self._nursery: trio.Nursery | None = None
        self._quiet_waiters = trio.lowlevel.ParkingLot()
        """Those who wait for no request to wait; they look again whenever one has ended."""

    def __repr__(self) -> str:
        """How many there are."""
        return f"<SessionRegistry {len(self._sessions)} sessions draining={self.draining}>"

    def __len__(self) -> int:
        """How many sessions are open."""
        return len(self._sessions)

    # --- the transports' side ----------------------------------------------------------------------------------

    def open(self, principal: Principal, *, transport: str) -> Session:
        """Opens a session; where there are too many, the one that was left longest ago gives way.

        Raises:
            Overloaded: too many are in use, or the gateway drains.
        """
        if self.draining:
            raise Overloaded("the gateway is shutting down; connect again later")
        if len(self._sessions) >= limits.MAX_SESSIONS and not self._make_room():
            refused("from_clients.MAX_SESSIONS")
            raise Overloaded(f"{limits.MAX_SESSIONS} sessions are open; try again later")
        session_id = secrets.token_urlsafe(_SESSION_ID_BYTES)
        session = Session(session_id, principal, transport=transport, house=self)
        self._sessions[session_id] = session
        return session

    def serve_stateless(
        self, request: Request, *, principal: Principal, transport: str, outlet: Outlet
    ) -> Callable[[], None]:
        """Serves a request of the modern era, which needs no session; gives what cancels it."""
        log.debug("stateless_request", method=request.method, transport=transport)
        return self.desk.serve(request, principal=principal, outlet=outlet)

    def input_schema(self, tool: str, principal: Principal) -> msgspec.Raw | None:  # noqa: ARG002 -- all see the same
        """The input schema of an exposed tool as clients see it; None where it is not known (yet)."""
        try:
            route = self.listings.directory("modern").tool(tool)
        except UnknownTarget:
            return None
        lists = self.listings.lists_of(route.server, "modern")
        items = lists.tools if lists is not None else ()
        return next(
            (item.fields.get("inputSchema") for item in items if item.key == route.name), None
        )

    def find(self, session_id: str, principal: Principal) -> Session | None:
        """The session of that id, if it belongs to that principal: open, or left by an earlier gateway."""
        session = self._sessions.get(session_id) or self._resumed(session_id, principal)
        if session is None or not hmac.compare_digest(session.principal.name, principal.name):
            return None
        session.last_active = trio.current_time()
        return session

    def _resumed(self, session_id: str, principal: Principal) -> Session | None:
        """A session that an earlier gateway has left."""
        record = self._store.take(session_id, principal.name) if self._store is not None else None
        if record is None:
            return None
        session = Session(session_id, principal, transport=RESUMABLE, house=self)
        self._sessions[session_id] = session
        session.resume(record)
        return session

    # --- the sessions' side ------------------------------------------------------------------------------------

    def spawn(self, task: Callable[[], Awaitable[None]]) -> None:
        """Runs a task beside all others; its failure is logged and costs nobody else."""
        if self._nursery is None:
            raise Overloaded("the gateway is not running")
        self._nursery.start_soon(guard, _log_failure, task)

    def request_ended(self) -> None:
        """A request that took time has its answer, or will get none."""
        if self._quiet_waiters:
            self._quiet_waiters.unpark_all()

    async def wait_quiet(self) -> None:
        """Returns once no request waits for its answer. The deadline is the caller's."""
        while self.desk.is_busy or any(session.is_busy for session in self._sessions.values()):
            await self._quiet_waiters.park()

    def remember(self, session: ClientSession) -> None:
        """Something changed that another gateway would have to know to go on with the session."""
        if self._store is None or (kept := self._sessions.get(session.id)) is None:
            return
        if kept.transport == RESUMABLE and (record := kept.acquaintance.record()) is not None:
            self._store.keep(session.id, record)

    def closed(self, session_id: str) -> None:
        """A session has ended."""
        session = self._sessions.pop(session_id, None)
        if session is not None:
            log.info("client_disconnected", client=session.client_name, transport=session.transport)
            if self._store is not None and session.transport == RESUMABLE:
                record = session.acquaintance.record() if self._leaving else None
                if record is None:
                    self._store.forget(session_id)
                else:
                    self._store.leave(session_id, record)
        self.request_ended()

    # --- the pools' side ---------------------------------------------------------------------------------------

    def learned(self, server: str, lists: ServerLists) -> None:
        """These are the server's lists."""
        self.listings.learned(server, lists)

    def unlisted(self, server: str, error: GatewayError) -> None:
        """The server's lists could not be read."""
        self.listings.unlisted(server, error)

    def changed_for(self, owner: str, server: str, lists: ServerLists | None) -> None:
        """One session's container lists something else than everybody's."""
        if (session := self._session_of(owner)) is not None:
            session.override(server, lists)

    def notified(self, owner: str, server: str, notification: Notification) -> None:
        """A server's notification without a call goes to the session that owns the container.

        Of a server with several owners only changes of resources are passed on, to those who subscribed.
        """
        self.desk.notified(owner, notification)
        if (session := self._session_of(owner)) is not None:
            session.notified(
                self.task_ids.notification(
                    notification, server=server, owner=owner, principal=session.principal
                )
            )
        elif notification.method == "notifications/resources/updated":
            try:
                uri = params.text(params.fields(notification.params), "uri")
            except InvalidParams:
                return
            for subscriber in list(self._sessions.values()):
                if subscriber.subscribes(server, uri):
                    subscriber.notified(notification)

    def asked(self, owner: str, request: ServerRequest) -> None:
        """A server's request goes to the session that owns the container, or that made the call."""
        session = self._session_of(owner)
        if self.desk.asked(owner, request):
            return
        if session is None:
            request.refuse(f"no single client of this server could serve {request.method}")
        else:
            request.params = self.task_ids.related(
                request.params, server=request.server, owner=owner, principal=session.principal
            )
            session.asked(request)

    def last_words(self, server: str, stderr: str) -> None:
        """A server has ended; this is the end of its stderr."""
        self._words.keep(server, stderr)

    def _session_of(self, owner: str) -> Session | None:
        """The session behind an owner of the kinds `session:<id>` and `call:<id>:<number>`, None for others."""
        kind, _, rest = owner.partition(":")
        return self._sessions.get(rest.partition(":")[0]) if kind in {"session", "call"} else None

    # --- life --------------------------------------------------------------------------------------------------

    def lists_changed(self) -> None:
        """Has each session tell its client what changed, if anything did for it."""
        self.desk.lists_changed()
        for session in list(self._sessions.values()):
            session.lists_changed()

    async def run(self) -> None:
        """Expires sessions that their clients left, until cancelled; then closes all."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.desk.run)
                await self._sweep_forever(nursery)
        finally:
            self.close_all()

    async def _sweep_forever(self, nursery: trio.Nursery) -> None:
        """Expires sessions, and lets tasks run in the nursery: not any more while that closes."""
        self._nursery = nursery
        try:
            while True:
                await trio.sleep(limits.SESSION_SWEEP_S)
                self._expire(trio.current_time() - limits.SESSION_IDLE_S)
        finally:
            self._nursery = None

    def close_all(self) -> None:
        """Ends every session and every stateless call; what they wait for is cancelled."""
        self.desk.close()
        self._leaving = True
        try:
            for session in list(self._sessions.values()):
                session.close()
        finally:
            self._leaving = False

    def _make_room(self) -> bool:
        """Closes the idle session whose last sign of life is the oldest; False where all are in use.

        Many clients open a session for each call and never end one. Who comes back to a closed one opens another.
        """
        before = trio.current_time() - limits.SESSION_SPARED_S
        idle = (one for one in self._sessions.values() if one.is_idle and one.last_active < before)
        oldest = min(idle, key=lambda session: session.last_active, default=None)
        if oldest is None:
            return False
        oldest.close()
        return True

    def _expire(self, before: float) -> None:
        """Closes the idle sessions whose last sign of life is older than `before`."""
        for session in list(self._sessions.values()):
            if session.is_idle and session.last_active < before:
                session.close()


def _log_failure(error: Exception) -> None:
    """A task of a session failed; its client has its answer already, or its deadline."""
    log.error("task_failed", reason=repr(error))
