"""One subscription of a modern client: what it listens for, and the stream that tells it.

Source: MCP 2026-07-28, basic, patterns, "Subscriptions".
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import trio

from actors.assignment import EVERYBODY
from actors.call import Answer, Call
from actors.client_view import ClientView
from actors.house import Door, House
from actors.stateless_owners import expect_modern, watcher_at
from gateway import limits
from gateway.errors import GatewayError
from gateway.jsonrpc import codec
from gateway.jsonrpc.messages import Id, Notification
from gateway.mcp import listen
from gateway.mcp.listen import Filter
from gateway.mcp.profile import ClientProfile, stranger
from gateway.ports import Outlet, Principal
from gateway.telemetry.log import get_logger

log = get_logger("listener")


class Watch(msgspec.Struct, frozen=True):
    """A resource that is followed where an owner's calls work."""

    server: str
    owner: str
    uri: str


class Listener:
    """A listener, from its acknowledgement until its client leaves.

    Args:
        request_id: the id of the listen request; every message carries it.
        honoured: what it is told of.
        outlet: its stream.
        view: what it has seen of the lists.
        client: who listens, and what it can do: its calls lead to the same servers, which tell of changed resources.
        house: the servers.
        server_info: the gateway's identity.
    """

    def __init__(
        self,
        request_id: Id,
        honoured: Filter,
        *,
        outlet: Outlet,
        view: ClientView,
        client: tuple[Principal, ClientProfile],
        house: House,
        server_info: msgspec.Raw,
    ) -> None:
        self._id = request_id
        self._honoured = honoured
        self._outlet = outlet
        self._view = view
        self._principal, self._profile = client
        self._house = house
        self._server_info = server_info
        self._scope = trio.CancelScope()
        """Of the wait for servers."""
        self._subscribed = False
        self._acknowledged = False
        self._unanswered = 0
        """Requests of ours that servers have not answered."""
        self._answered = trio.Event()
        """Set when there is none any more."""
        self.watches: set[Watch] = set()
        """What was subscribed to for it."""

    def open(self) -> None:
        """Subscribes at the servers, and acknowledges once they will tell of changes: at once, where none is asked."""
        if self._knows_all() or self._view.complete(limits.CALL_TIMEOUT_S):
            self._subscribe()
            if not self._unanswered:
                self._acknowledge()
                return
        else:
            expect_modern(self._house)
        self._house.spawn(self._acknowledge_later)

    def _knows_all(self) -> bool:
        """Whether it is known where its resources are."""
        return all(self._view.knows("resource", uri) for uri in self._honoured.uris)

    def close(self, *, still_watched: Callable[[Watch], bool]) -> None:
        """Gives up what nobody else follows, and ends the stream.

        Args:
            still_watched: whether other listeners follow the same there.
        """
        self._scope.cancel()
        for watch in self.watches:
            door = self._house.doors.get(watch.server)
            if door is not None and not still_watched(watch):
                self._ask(door, "resources/unsubscribe", watch)
        last = listen.ended(self._id, server_info=self._server_info, shared_channel=False)
        self._outlet.finish(codec.encode(last[-1]))

    def watches_at(self, owner: str) -> bool:
        """Whether it follows something where that owner's calls work."""
        return any(watch.owner == owner for watch in self.watches)

    def notified(self, notification: Notification) -> None:
        """Passes a notification on, if it is one that this listener wants."""
        if self._acknowledged and self._honoured.wants(notification):
            try:
                self._send(listen.tagged(self._id, notification))
            except GatewayError as error:
                log.debug("bad_notification", reason=str(error))

    def lists_changed(self) -> None:
        """Tells which lists changed since it was told last."""
        if self._acknowledged:
            for notice in self._view.news(()):
                self.notified(Notification(notice))

    def _send(self, notification: Notification) -> None:
        """Sends one message."""
        self._outlet.send(codec.encode(notification), skippable=True)

    def _acknowledge(self) -> None:
        """What is sent first; what changed before is no news."""
        self._view.show_all()
        self._acknowledged = True
        self._send(listen.acknowledged(self._id, self._honoured))

    async def _acknowledge_later(self) -> None:
        """Acknowledges once nothing can be missed any more; servers that take long for their part are not waited for."""
        with self._scope:
            with trio.move_on_after(limits.LISTEN_ACK_S):
                await self._find_and_subscribe()
                while self._unanswered:
                    await self._answered.wait()
            if self._scope.cancel_called:
                # It was closed in the very moment in which the wait was over.
                return
            self._acknowledge()
            with trio.move_on_after(limits.CALL_TIMEOUT_S):
                await self._find_and_subscribe()

    async def _find_and_subscribe(self) -> None:
        """Subscribes as soon as it is known where the resources are, if it is not done."""
        if not self._subscribed:
            await self._house.listings.wait_complete(limits.CALL_TIMEOUT_S, enough=self._knows_all)
            self._subscribe()

    def _subscribe(self) -> None:
        """Asks the resources' servers to tell of their changes; one that cannot is asked in vain."""
        self._subscribed = True
        for uri in self._honoured.uris:
            try:
                route = self._view.route("resource", uri)
            except GatewayError:
                continue
            if (door := self._house.doors.get(route.server)) is None:
                continue
            owner = watcher_at(door, self._principal, self._profile)
            if owner is not None:
                watch = Watch(route.server, owner, route.name)
                self.watches.add(watch)
                self._ask(door, "resources/subscribe", watch)

    def _ask(self, door: Door, method: str, watch: Watch) -> None:
        """Sends a request of ours to where the client's calls work."""

        def settled(call: Call, answer: Answer | None) -> None:
            ok = isinstance(answer, msgspec.Raw)
            log.debug("watch_changed", server=watch.server, method=call.method, ok=ok)
            self._unanswered -= 1
            if not self._unanswered:
                self._answered.set()

        if not self._unanswered:
            self._answered = trio.Event()
        self._unanswered += 1
        door.submit(
            Call(
                method,
                {"uri": codec.raw(watch.uri)},
                server=watch.server,
                owner=watch.owner,
                timeout_s=limits.CALL_TIMEOUT_S,
                profile=self._profile,
                greeting=stranger("modern") if watch.owner == EVERYBODY else self._profile,
                settled=settled,
                relayed=lambda _call, _message: None,
            )
        )
