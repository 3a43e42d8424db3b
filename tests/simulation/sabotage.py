"""Actors broken on purpose, one way for each invariant: the simulation must notice each of them.

Each entry of `SABOTAGE` says which invariant breaks, and replaces something within the block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final
from unittest.mock import patch

import msgspec

from actors import assignment
from actors.answers import failure_of
from actors.assignment import Slot
from actors.call import Call, Deadlines
from actors.client_view import ClientView
from actors.pool_keeper import PoolKeeper
from actors.session import Session
from actors.session_calls import SessionCalls
from actors.upstream import Upstream
from gateway import limits
from gateway.errors import GatewayError, Gone
from gateway.jsonrpc import codec
from gateway.jsonrpc.messages import Failure, Request, Result
from gateway.ports import Outlet, Route
from gateway.upstreams.stdio import StdioPipe


class Sabotage(msgspec.Struct, frozen=True):
    """What is broken, in a few words, and the invariant that then does not hold."""

    invariant: int
    what: str
    begin: Callable[[], AbstractContextManager[Any]]


def _replies_twice(_session: Session, request_id: Any, outlet: Outlet, result: msgspec.Raw) -> None:
    """Each result is sent once more."""
    for _ in range(2):
        outlet.finish(codec.encode(Result(request_id, result)))


def _answers_cancelled(calls: SessionCalls, request_id: Any) -> bool:
    """A cancelled request is answered all the same."""
    if (call := calls.waiting.get(request_id)) is not None:
        call.withdraw("cancelled", answer=Failure(None, -32000, "cancelled"))
    return True


def _forgets(_deadlines: Deadlines, _call: Call) -> None:
    """No deadline is watched."""


def _place_anywhere(slots: Any, owner: str, pooling: Any, **more: Any) -> Any:
    """Whoever's container is free will do."""
    free = [slot for slot in slots if slot.ready and not slot.stale and not slot.inflight]
    return assignment.Use(free[0].key) if free else _place(slots, owner, pooling, **more)


_place = assignment.place


def _never_idle(_slots: Any, _now: float, _pooling: Any) -> list[int]:
    """Nothing is ever stopped for having been idle."""
    return []


def _counts_too_many(upstream: Upstream, call: Call, reason: str) -> None:
    """A call that is taken back is never taken out of the table: its lease does not come back."""
    call.holder = None
    upstream._send_cancelled(call.number, reason)


async def _leaves_it_running(pipe: StdioPipe) -> None:
    """The server is left behind."""
    pipe._stop_sending("closed")
    pipe._running.cancel()


def _sends_again(upstream: Upstream, error: GatewayError) -> None:
    """A call whose server died goes to the next one."""
    holder = upstream._listener
    calls = upstream._inflight.drain()
    _end(upstream, error)
    for call in calls:
        if isinstance(error, Gone) and call.method == "tools/call" and not call.is_settled:
            holder._keeper.placement.place(call)  # type: ignore[attr-defined] # a container holds it
        else:
            call.settle(failure_of(error))


_end = Upstream.end


def _is_harmless(_view: ClientView, _method: str, _route: Route) -> bool:
    """Whatever a tool says of itself, it may be executed twice."""
    return True


def _takes_any_number(session: Session, request: Request, outlet: Outlet) -> None:
    """Without the look at how many requests wait."""
    with patch("gateway.limits.MAX_INFLIGHT_PER_SESSION", 10**9):
        _request(session, request, outlet)


_request = Session._request


def _starts_always(slots: list[Slot], owner: str, pooling: Any, **more: Any) -> Any:
    """`max` is nobody's business."""
    return _place(slots, owner, msgspec.structs.replace(pooling, max=10**9), **more)


def _crashes(_keeper: PoolKeeper, _container: Any) -> None:
    """A bug in a pool."""
    raise KeyError("a bug")


def _replace(owner: Any, name: str, by: Any) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: patch.object(owner, name, by)


SABOTAGE: Final[Mapping[str, Sabotage]] = {
    name: Sabotage(invariant, what, begin)
    for name, invariant, what, begin in (
        ("crash", 0, "a pool that trips", _replace(PoolKeeper, "has_room", _crashes)),
        ("twice", 1, "answers given twice", _replace(Session, "_reply", _replies_twice)),
        (
            "cancelled",
            1,
            "answers to cancels",
            _replace(SessionCalls, "cancel", _answers_cancelled),
        ),
        ("deadlines", 1, "no deadlines", _replace(Deadlines, "watch", _forgets)),
        ("owners", 2, "any free container", _replace(assignment, "place", _place_anywhere)),
        ("lease", 2, "leases kept", _replace(Upstream, "withdraw", _counts_too_many)),
        ("left", 3, "servers left running", _replace(StdioPipe, "aclose", _leaves_it_running)),
        ("idle", 3, "nothing stops when idle", _replace(assignment, "expired", _never_idle)),
        ("again", 4, "calls sent again", _replace(Upstream, "end", _sends_again)),
        ("hints", 4, "no look at annotations", _replace(ClientView, "is_harmless", _is_harmless)),
        ("starts", 5, "starts that hang others", _replace(limits, "START_PLACE_S", 10**9)),
        ("requests", 6, "no bound on requests", _replace(Session, "_request", _takes_any_number)),
        ("max", 6, "no bound on containers", _replace(assignment, "place", _starts_always)),
    )
}
