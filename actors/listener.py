"""One subscription of a modern client: what it listens for, and the stream that tells it.

Source: MCP 2026-07-28, basic, patterns, "Subscriptions".
"""

from __future__ import annotations

import msgspec
from gateway.mcp.listen import Filter

from actors.call import Answer, Call
from actors.client_view import ClientView
from actors.house import House
from gateway import limits
from gateway.errors import GatewayError
from gateway.jsonrpc import codec
from gateway.jsonrpc.messages import Id, Notification
from gateway.mcp import listen
from gateway.ports import Outlet
from gateway.telemetry.log import get_logger

log = get_logger("listener")


class Listener:
    """A listener, from its acknowledgement until its client leaves.

    Args:
        request_id: the id of the listen request; every message carries it.
        honoured: what it is told of.
        outlet: its stream.
        view: what it has seen of the lists.
        owner: under which servers tell it of changed resources.
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
        owner: str,
        house: House,
        server_info: msgspec.Raw,
    ) -> None:
        self._id = request_id
        self._honoured = honoured
        self._outlet = outlet
        self._view = view
        self._owner = owner
        self._house = house
        self._server_info = server_info

    def open(self) -> None:
        """Acknowledges, and subscribes at the servers."""
        self._view.show_all()
        self._send(listen.acknowledged(self._id, self._honoured))
        for uri in self._honoured.uris:
            self._subscribe(uri)

    def close(self) -> None:
        """Gives up the servers, and ends the stream."""
        for door in self._house.doors().values():
            door.release(self._owner)
        last = listen.ended(self._id, server_info=self._server_info, shared_channel=False)
        self._outlet.finish(codec.encode(last[-1]))

    def notified(self, notification: Notification) -> None:
        """Passes a notification on, if it is one that this listener wants."""
        if self._honoured.wants(notification):
            try:
                self._send(listen.tagged(self._id, notification))
            except GatewayError as error:
                log.debug("bad_notification", reason=str(error))

    def lists_changed(self) -> None:
        """Tells which lists changed since it was told last."""
        for notice in self._view.news(()):
            self.notified(Notification(notice))

    def _send(self, notification: Notification) -> None:
        """Sends one message."""
        self._outlet.send(codec.encode(notification))

    def _subscribe(self, uri: str) -> None:
        """Asks the resource's server to tell of its changes; one that cannot is asked in vain."""
        try:
            route = self._view.route("resources/subscribe", uri)
        except GatewayError:
            return
        door = self._house.door(route.server)
        if door is None:
            return

        def settled(_call: Call, answer: Answer | None) -> None:
            log.debug("subscribed", server=route.server, ok=isinstance(answer, msgspec.Raw))

        door.submit(
            Call(
                "resources/subscribe",
                {"uri": codec.raw(route.name)},
                server=route.server,
                owner=self._owner,
                timeout_s=limits.CALL_TIMEOUT_S,
                settled=settled,
                relayed=lambda _call, _message: None,
            )
        )
