"""The state of a gateway for people, made of what its parts say: no secret is in it, and no session id that could be used.

Pure but for the clock; must not know who asks, nor how it is shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
import trio
from msgspec import structs

from actors.kit.supervisor import ChildState
from actors.reports import PoolState
from gateway import __version__
from gateway.telemetry.redaction import redact
from gateway.telemetry.refusals import refusal_counts

_ROOT: Final = "gateway"
_SHOWN_CHARS: Final = 6
"""Of an id: enough to tell owners apart, too little to be one."""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One of the supervision tree: the gateway, an actor, or a container of a pool.

    `age_s`: seconds since `state` began; of a container, since it was started. `mail`: what waits in its mailbox.
    `waiting`: calls that wait for a container. `inflight`: calls in it.
    `owner`: whom a container belongs to, shortened; "" for a spare. `trouble`: what went wrong last, while it does.
    """

    name: str
    state: str
    age_s: float
    restarts: int = 0
    mail: int = 0
    waiting: int = 0
    inflight: int = 0
    owner: str = ""
    trouble: str = ""
    children: tuple[Node, ...] = ()


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway at one moment. `servers` are the pools with their counts, `tree` is what lives.

    `refusals`: how often each bound of `gateway.limits` was hit, as `gateway.telemetry.refusals` names them.
    """

    pid: int
    instance: str
    version: str
    ready: bool
    engine_trouble: str
    uptime_s: float
    sessions: int
    tree: Node
    servers: tuple[PoolState, ...]
    refusals: dict[str, int]


def status_of(
    actors: Iterable[ChildState],
    pools: Mapping[str, PoolState],
    *,
    instance: str,
    started: float,
    ready: bool,
    engine_trouble: str,
    sessions: int,
) -> Status:
    """Puts the state together.

    Args:
        actors: the children of the root.
        pools: the servers, by the names of their actors.
        instance: the gateway's id among those of its home.
        started: when it began, on trio's clock.
        ready: whether it takes new work.
        engine_trouble: why the engine cannot be used; "" while it can.
        sessions: how many are open.
    """
    now = trio.current_time()
    shown = {name: _public(pool) for name, pool in pools.items()}
    uptime_s = round(now - started, 1)
    return Status(
        pid=os.getpid(),
        instance=instance,
        version=__version__,
        ready=ready,
        engine_trouble=redact(engine_trouble),
        uptime_s=uptime_s,
        sessions=sessions,
        tree=Node(
            name=_ROOT,
            state="running" if ready else "draining",
            age_s=uptime_s,
            trouble=redact(engine_trouble),
            children=tuple(_actor(actor, shown.get(actor.name), now) for actor in actors),
        ),
        servers=tuple(shown.values()),
        refusals=refusal_counts(),
    )


def shown_owner(owner: str | None) -> str:
    """An owner of containers so that it can be recognised and not used: `session:Xk3f9q…`; "" for none."""
    kind, colon, rest = (owner or "").partition(":")
    return f"{kind}{colon}{rest[:_SHOWN_CHARS]}…" if len(rest) > _SHOWN_CHARS else owner or ""


def _actor(actor: ChildState, pool: PoolState | None, now: float) -> Node:
    """An actor; a pool with its containers."""
    node = Node(
        name=actor.name,
        state=actor.state,
        age_s=round(now - actor.since, 1),
        restarts=actor.restarts,
        mail=actor.mail,
    )
    if pool is None:
        return node
    return structs.replace(
        node,
        mail=actor.mail + pool.mail,
        waiting=pool.waiting,
        trouble=pool.last_error if pool.failures else "",
        children=tuple(
            Node(name=name, state=state, age_s=age_s, inflight=inflight, owner=owner or "")
            for name, state, owner, inflight, age_s in pool.containers
        ),
    )


def _public(pool: PoolState) -> PoolState:
    """A pool without what nobody may read."""
    return structs.replace(
        pool,
        last_error=redact(pool.last_error),
        containers=tuple(
            (name, state, shown_owner(owner) or None, inflight, round(age_s, 1))
            for name, state, owner, inflight, age_s in pool.containers
        ),
    )
