"""The servers of a gateway, each behind its door: made from a snapshot, changed in place, taken out after their last call.

Must not know sessions, files, or where snapshots come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from random import Random
from typing import Protocol

import msgspec
import trio
from msgspec import structs

from actors import local, remote
from actors.backends import Backends
from actors.budget import Holder, MemoryBudget
from actors.call import Deadlines
from actors.container_pool import ContainerPool
from actors.house import Door
from actors.kit.supervisor import ChildSpec, Supervisor
from actors.listings import Lister, Listings
from actors.poci import PociServer
from actors.reports import PoolState, Reports
from actors.starts import Starts
from actors.upstream import Opener
from gateway import limits
from gateway.catalog.model import (
    ContainerLaunch,
    EnabledServer,
    PociLaunch,
    ProcessLaunch,
    RemoteLaunch,
    Snapshot,
)
from gateway.catalog.snapshot import SnapshotDiff
from gateway.errors import ActorGone
from gateway.mcp.spoken import Spoken


class ServerDoor(Door, Lister, Holder, Protocol):
    """A server as the root sees it: a pool, or the tools of a `poci` entry."""

    async def run(self) -> None:
        """Lives until cancelled."""

    async def wait_idle(self) -> None:
        """Returns once no call waits or is in flight."""

    async def kill(self) -> None:
        """Ends what runs at once, also while it is being stopped patiently."""

    def replace(self, server: EnabledServer, opener: Opener) -> None:
        """Runs another spec from now on."""

    def tune(self, server: EnabledServer) -> None:
        """Takes over an entry whose launch and pooling are unchanged."""

    def state(self) -> PoolState:
        """The server for people."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What all servers share.

    `backends`: where they run; `reports`: where their news go; `listings`: knows what they were found to speak;
    `deadlines`: told of every call; `budget`: the memory of all; `random`: jitter; `load`: reads what is configured, in a
    thread.
    """

    backends: Backends
    reports: Reports
    listings: Listings
    deadlines: Deadlines
    budget: MemoryBudget
    random: Random
    load: Callable[[], Snapshot]


class Servers:
    """All servers by name, and those that are on their way out.

    Args:
        doors: the mapping to be kept; its other readers see each change at once.
        around: what the servers share.
    """

    def __init__(self, doors: dict[str, ServerDoor], around: Surroundings) -> None:
        self.doors = doors
        self._around = around
        self._starts = Starts(limits.PARALLEL_STARTS)
        self._retiring: dict[str, ServerDoor] = {}
        """By their names in the tree; their last calls end."""

    def open(self, snapshot: Snapshot) -> None:
        """Makes a door for each server of the first snapshot."""
        for server in snapshot.servers.values():
            self.doors[server.name] = self._make(server)

    def start(self, tree: Supervisor) -> None:
        """Has all of them live."""
        for door in self.doors.values():
            tree.start_child(_spec_of(door))

    def apply(self, change: SnapshotDiff, snapshot: Snapshot, tree: Supervisor) -> None:
        """Does what a snapshot changes: unchanged servers keep what runs, changed and removed ones drain."""
        for name in change.removed:
            self._retire(name, tree)
        for name in change.changed:
            self._replace(snapshot.servers[name], tree)
        for name in change.relisted:
            self.doors[name].tune(snapshot.servers[name])
        for name in change.added:
            self._add(snapshot.servers[name], tree)

    async def kill(self) -> None:
        """Ends whatever runs at once, also while it is being stopped patiently."""
        async with trio.open_nursery() as nursery:
            for door in (*self.doors.values(), *self._retiring.values()):
                nursery.start_soon(door.kill)

    def states(self) -> Iterator[tuple[str, PoolState]]:
        """All servers for people, each under its name in the tree."""
        for door in self.doors.values():
            yield _child_name(door), door.state()
        for name, door in self._retiring.items():
            yield name, door.state()

    def _add(self, server: EnabledServer, tree: Supervisor) -> None:
        """Takes in a server."""
        door = self.doors[server.name] = self._make(server)
        _start(tree, _spec_of(door))

    def _replace(self, server: EnabledServer, tree: Supervisor) -> None:
        """Changes a server in place; one that becomes another kind of server is a new one."""
        door = self.doors[server.name]
        if isinstance(door, PociServer) or isinstance(server.launch, PociLaunch):
            self._retire(server.name, tree)
            self._add(server, tree)
        else:
            door.replace(server, self._opener(server))

    def _retire(self, name: str, tree: Supervisor) -> None:
        """Takes a server out; its calls in flight may end."""
        door = self.doors.pop(name)
        child = _child_name(door)
        self._retiring[child] = door
        run = partial(self._stop_when_idle, door, tree)
        _start(tree, ChildSpec(name=f"retire-{child}", run=run, restart="temporary"))

    async def _stop_when_idle(self, door: ServerDoor, tree: Supervisor) -> None:
        """Ends a pool after its last call."""
        try:
            with trio.move_on_after(limits.CALL_TIMEOUT_S):
                await door.wait_idle()
            await tree.stop_child(_child_name(door))
        finally:
            del self._retiring[_child_name(door)]

    def _make(self, server: EnabledServer) -> ServerDoor:
        """The pool of a server, or the runner of its tools."""
        around, backends = self._around, self._around.backends
        if isinstance(server.launch, PociLaunch):
            return PociServer(
                server, backends.engine, reports=around.reports, in_sight=backends.shares_files
            )
        return ContainerPool(
            server,
            self._opener(server),
            starts=self._starts,
            deadlines=around.deadlines,
            reports=around.reports,
            random=around.random,
            recall=partial(self._spoken_by, server.name),
            freezer=backends.freezer if isinstance(server.launch, ContainerLaunch) else None,
            budget=around.budget,
        )

    def _spoken_by(self, name: str) -> Spoken:
        """Which eras a server speaks, as far as it was found out earlier."""
        spoken = self._around.listings.spoken(name)
        door = self.doors.get(name)
        if door is not None and isinstance(door.server.launch, RemoteLaunch) and not spoken.modern:
            # What runs there may be another release by now, and asking costs one request.
            return structs.replace(spoken, modern=None)
        return spoken

    def _opener(self, server: EnabledServer) -> Opener:
        """How a server is started."""
        match server.launch:
            case RemoteLaunch():
                return remote.opener_of(server, self._around.load)
            case ContainerLaunch() | ProcessLaunch():
                return local.opener_of(server, self._around.backends.runtime)
            case PociLaunch():
                raise TypeError("a poci entry has no pool")


def _start(tree: Supervisor, spec: ChildSpec) -> None:
    """Starts a child, unless everything stops: then all that it would care for stops as well."""
    with suppress(ActorGone):
        tree.start_child(spec)


def _spec_of(door: ServerDoor) -> ChildSpec:
    """How a server's pool is supervised."""
    return ChildSpec(name=_child_name(door), run=door.run)


def _child_name(door: ServerDoor) -> str:
    """A door's name in the tree: two doors of one server may overlap while the old one drains."""
    return f"pool:{door.server.name}:{id(door):x}"
