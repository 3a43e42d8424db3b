"""What the containers of a pool tell it, and what follows from that. All of it returns at once.

Must not know how containers live (`actors.container`), nor what is done without being told (`actors.upkeep`).
"""

from __future__ import annotations

import math

from actors.call import Call
from actors.container import Container
from actors.placement import Placement
from actors.pool_parts import PoolParts
from actors.reports import Reports
from actors.server_request import ServerRequest
from gateway.errors import GatewayError
from gateway.jsonrpc.messages import Notification
from gateway.mcp.listing import ServerLists
from gateway.telemetry.log import get_logger

log = get_logger("pool")


class PoolKeeper:
    """Implements `keeper.Keeper` for one pool.

    Args:
        parts: what the pool consists of.
        placement: where calls go that can go on.
        reports: where news go.
    """

    def __init__(self, parts: PoolParts, placement: Placement, reports: Reports) -> None:
        self.placement = placement
        self._parts = parts
        self._reports = reports
        self._fleet = parts.fleet
        self._waiting = parts.waiting

    def opened(self, container: Container) -> None:  # noqa: ARG002 -- all are looked at
        """A spare runs: there may be one too many, or somebody who waits for its lists."""
        self._parts.look()

    def became_ready(self, container: Container) -> None:
        """The handshake is done: its calls go out."""
        self._parts.failures.succeeded()
        self._parts.tally.starts.append(container.life.start_s)
        self._parts.learn(container)
        self._parts.budget.measure_soon()
        if container.owner is not None:
            self._fleet.hand_over(container, container.owner)
            self._parts.orphans.hand_over(container, container.owner)
            self.placement.serve_waiting(container.owner)
        self._parts.look()

    def thawed(self, container: Container) -> None:
        """It takes calls again: those of its owner that wait."""
        if container.owner is not None and not container.stale:
            self._fleet.hand_over(container, container.owner)
            self.placement.serve_waiting(container.owner)
        self._parts.look()

    def has_room(self, container: Container) -> None:
        """A call was answered: the next one of its owner goes out, or the container is idle."""
        self._parts.may_be_idle()
        owner = container.owner
        if owner is not None and owner in self._waiting.queues:
            self.placement.fill(container, owner)
        if not container.inflight and (
            container.stale
            or not container.lists.done_once
            or self._parts.look_at == math.inf
            or self._waiting.queues
        ):
            self._parts.look()

    def untaken(self, container: Container, call: Call | None, reason: str) -> bool:
        """It takes no more calls. The one that it has not executed goes to another, if that is the first time."""
        server = self._parts.server.name
        if not container.stale:
            log.warning("server_takes_no_more", server=server, reason=reason)
        self._fleet.pass_over(container)
        if call is None or call.is_settled or call.resent or not call.owner:
            return False
        if self.placement.closed:
            return False
        call.resent = True
        log.info("call_sent_anew", server=server, method=call.method)
        self.placement.place(call)
        return True

    def lost(self, container: Container, call: Call, reason: str) -> bool:  # noqa: ARG002 -- any may serve it
        """Nobody knows whether a call was executed. It is sent once more where that is switched on and does no harm."""
        if self.placement.closed or not (self._parts.server.pooling.retry and call.may_be_repeated):
            return False
        call.repeated = True
        log.warning(
            "call_retried", server=self._parts.server.name, method=call.method, reason=reason
        )
        self.placement.place(call)
        return True

    def free_earlier(self, container: Container) -> None:  # noqa: ARG002 -- all are looked at
        """A task or a subscription is over: when to look next is decided anew."""
        self._parts.look()

    def exited(self, container: Container, error: GatewayError | None) -> None:
        """Nothing of it is left. Where it never became ready, those who waited for it get the reason."""
        self._fleet.remove(container)
        self._parts.may_be_idle()
        if stderr := container.life.stderr_tail():
            self._reports.last_words(self._parts.server.name, stderr)
        if container.owner is not None:
            self._reports.changed_for(container.owner, self._parts.server.name, None)
        if self.placement.closed:
            return
        if container.owner is not None and container.subscriptions:
            self._parts.orphans.keep(
                container.owner, container.life.profile, container.subscriptions
            )
        if error is not None:
            self._failed(container, error)
        else:
            if not container.ready:
                self._parts.failures.given_up()
            if container.owner is not None:
                self.placement.serve_waiting(container.owner)
        self._parts.look()

    def _failed(self, container: Container, error: GatewayError) -> None:
        """A container ended unasked. After a failed start the waiting calls fail; after a death they try anew."""
        self._parts.failures.last_error = error
        log.warning("server_ended", server=self._parts.server.name, reason=str(error))
        if container.ready:
            if container.owner is not None:
                self.placement.serve_waiting(container.owner)
            return
        self._parts.failures.add()
        if container.owner is not None:
            self._waiting.fail(container.owner, error)
        else:
            self._parts.lists.failed(self._parts.server.name, error)

    def listed(self, container: Container, lists: ServerLists, *, announced: bool) -> None:
        """Lists were read."""
        if not self._parts.is_outdated(container):
            self._parts.lists.take(
                self._parts.server, container, lists, spoken=self._parts.spoken, announced=announced
            )
            self._parts.look()

    def list_failed(self, container: Container, error: GatewayError) -> None:
        """Lists could not be read."""
        log.warning("list_failed", server=self._parts.server.name, reason=str(error))
        container.lists.done_once = True
        if not self._parts.is_outdated(container):
            self._parts.lists.failed(self._parts.server.name, error)
            self._parts.look()

    def notified(self, container: Container, notification: Notification) -> None:
        """A notification without a call goes to the owner."""
        if container.owner is not None:
            self._reports.notified(container.owner, self._parts.server.name, notification)

    def asked(self, container: Container, request: ServerRequest) -> None:
        """A request to the client goes to the owner; a spare has no client yet."""
        if container.owner is None:
            request.refuse(f"no client is connected that could serve {request.method}")
        else:
            self._reports.asked(container.owner, request)
