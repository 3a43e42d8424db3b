"""The root of the actor system: builds the house from options, keeps it up to date, and brings it down.

    gateway                     one_for_one
    ├── deadlines               expires calls
    ├── sessions                expires sessions, runs their tasks
    ├── memory-budget           freezes and stops what is idle where memory is short
    ├── listings                saves lists, tells of changes
    ├── last-words              keeps the stderr of servers that ended
    ├── control                 tells the gateway's state to commands of its user
    ├── reaper                  removes what killed gateways of this home left
    ├── catalog-watcher         publishes snapshots
    ├── snapshots               applies what was published
    └── pool:<server> …         one for each server

Must not know transports: whoever opens the gateway gets `Sessions` and `Health` and serves them.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Protocol

import msgspec
import trio
from msgspec import structs

from actors import container, remote
from actors.backends import Backends, open_backends
from actors.budget import Holder, MemoryBudget
from actors.call import Deadlines
from actors.call_log import CallLog
from actors.catalog_watcher import CatalogWatcher
from actors.container_pool import ContainerPool
from actors.house import Door
from actors.kit.mailbox import Mailbox
from actors.kit.supervisor import ChildSpec, Supervisor
from actors.last_words import LastWords
from actors.listings import Lister, Listings
from actors.poci import PociServer
from actors.reports import PoolState
from actors.session_store import SessionStore
from actors.sessions import SessionRegistry
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
from gateway.catalog.snapshot import diff_snapshots
from gateway.configuration import load_snapshot, watched_paths
from gateway.errors import ActorGone
from gateway.home import Home
from gateway.mcp.spoken import Spoken
from gateway.options import GatewayOptions
from gateway.telemetry.log import get_logger, redact_values
from gateway.transports.control import serve_control

log = get_logger("gateway")

_SNAPSHOT_MAILBOX = 4


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


class Published(msgspec.Struct, frozen=True):
    """Mail: a new snapshot is in force."""

    snapshot: Snapshot


class Gateway:
    """The whole house; implements `gateway.ports.Health`.

    Args:
        options: what the operator asked for.
        environ: the environment variables.
        snapshot: the servers at the start.
        load: reads them again.
        backends: where servers run.
    """

    def __init__(
        self,
        options: GatewayOptions,
        environ: Mapping[str, str],
        *,
        snapshot: Snapshot,
        load: Callable[[], Snapshot],
        backends: Backends,
    ) -> None:
        self.options = options
        self.snapshot = snapshot
        self.doors: dict[str, ServerDoor] = {}
        home = Home(Path(options.home))
        self._words = LastWords(home)
        self.listings = Listings(
            home,
            names=options.names,
            schema_compat=options.schema_compat,
            changed=self._lists_changed,
        )
        self._call_log = CallLog(enabled=options.log_calls)
        self._store = SessionStore(home.sessions) if options.session_store else None
        if self._store is not None:
            self._store.load()
        self.sessions = SessionRegistry(
            self.listings,
            lambda: self.doors,
            words=self._words,
            call_log=self._call_log,
            store=self._store,
        )
        self.started = trio.current_time()
        self._hurry = trio.Event()
        """Set where the end must come at once: nobody reads answers any more."""
        self._load = load
        self._environ = environ
        self._backends = backends
        self._random = Random()  # noqa: S311 - jitter, not secrecy
        self._deadlines = Deadlines()
        self._budget = MemoryBudget(options.memory_budget_bytes, self.doors.items)
        self._starts = Starts(limits.PARALLEL_STARTS)
        self._mailbox: Mailbox[Published] = Mailbox(_SNAPSHOT_MAILBOX, name="snapshots")
        self._watcher: CatalogWatcher | None = None
        self._tree = Supervisor("gateway", self._random, self._permanent_children())
        redact_values(_secret_values(snapshot))
        for server in snapshot.servers.values():
            self.doors[server.name] = self._make_door(server)
        self.listings.apply(snapshot.servers, self.doors)

    # --- health ------------------------------------------------------------------------------------------------

    def ready(self) -> bool:
        """Whether new work is accepted."""
        return not self.sessions.draining

    def degraded(self) -> bool:
        """Whether the container engine did not answer when it was last asked."""
        return bool(self._backends.engine_trouble)

    def report(self) -> dict[str, object]:
        """State for people."""
        return {
            "ready": self.ready(),
            "engine_trouble": self._backends.engine_trouble,
            "sessions": len(self.sessions),
            "uptime_s": round(trio.current_time() - self.started, 1),
            "servers": [msgspec.to_builtins(door.state()) for door in self.doors.values()],
            "actors": [msgspec.to_builtins(child) for child in self._tree.children()],
        }

    # --- life --------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Lives until `stop`, or until cancelled; then nothing of any server is left."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._tree.run)
            for name in self.doors:
                self._tree.start_child(self._pool_spec(name))
            task_status.started()

    async def _tell(self) -> bytes:
        """The state for the commands of our user, with the memory that containers use now."""
        await self._budget.measure()
        about = {"pid": os.getpid(), "instance": self._backends.instance_id}
        return msgspec.json.encode({**about, **self.report()})

    def hurry(self) -> None:
        """Has the end, or the one under way, come at once: servers get a moment to end by themselves, no more."""
        self._hurry.set()

    async def stop(self) -> None:
        """Closes all sessions, then all servers in parallel, then the rest. Idempotent."""
        self.sessions.close_all()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._kill_when_hurried)
            await self._tree.stop()
            nursery.cancel_scope.cancel()

    async def _kill_when_hurried(self) -> None:
        """Kills what does not end by itself, once there is a hurry."""
        await self._hurry.wait()
        await trio.sleep(limits.HURRY_GRACE_S)
        async with trio.open_nursery() as nursery:
            for door in self.doors.values():
                nursery.start_soon(door.kill)

    async def drain(self) -> None:
        """Accepts nothing new and waits for the requests in flight. The deadline is the caller's."""
        self.sessions.draining = True
        await self.sessions.wait_quiet()

    def reload(self) -> None:
        """Has the catalogs read again, where they are watched."""
        if self._watcher is not None:
            self._watcher.reload()

    def apply(self, snapshot: Snapshot) -> None:
        """Puts a snapshot in force: unchanged servers keep what runs, changed and removed ones drain."""
        change = diff_snapshots(self.snapshot, snapshot)
        self.snapshot = snapshot
        redact_values(_secret_values(snapshot))
        if not change:
            return
        log.info(
            "snapshot_applied",
            added=list(change.added),
            removed=list(change.removed),
            changed=list(change.changed),
        )
        for name in change.removed:
            self._retire(name)
        for name in change.changed:
            self._replace(snapshot.servers[name])
        for name in change.relisted:
            self.doors[name].tune(snapshot.servers[name])
        for name in change.added:
            self._add(snapshot.servers[name])
        self.listings.apply(snapshot.servers, self.doors, watched=len(self.sessions) > 0)

    def _add(self, server: EnabledServer) -> None:
        """Takes in a server."""
        self.doors[server.name] = self._make_door(server)
        self._start_child(self._pool_spec(server.name))

    def _replace(self, server: EnabledServer) -> None:
        """Changes a server in place; one that becomes another kind of server is a new one."""
        door = self.doors[server.name]
        if isinstance(door, PociServer) or isinstance(server.launch, PociLaunch):
            self._retire(server.name)
            self._add(server)
        else:
            door.replace(server, self._opener(server))

    def _retire(self, name: str) -> None:
        """Takes a server out; its calls in flight may end."""
        door = self.doors.pop(name)
        spec = ChildSpec(
            name=f"retire-{_child_name(door)}",
            run=partial(self._stop_when_idle, door),
            restart="temporary",
        )
        self._start_child(spec)

    def _start_child(self, spec: ChildSpec) -> None:
        """Starts a child, unless everything stops: then all that it would care for stops as well."""
        with suppress(ActorGone):
            self._tree.start_child(spec)

    async def _stop_when_idle(self, door: ServerDoor) -> None:
        """Ends a pool after its last call."""
        with trio.move_on_after(limits.CALL_TIMEOUT_S):
            await door.wait_idle()
        await self._tree.stop_child(_child_name(door))

    # --- the tree ----------------------------------------------------------------------------------------------

    def _permanent_children(self) -> tuple[ChildSpec, ...]:
        """The children that exist in every gateway."""
        children = [
            ChildSpec(name="call-log", run=self._call_log.run),
            ChildSpec(name="deadlines", run=self._deadlines.run),
            ChildSpec(name="sessions", run=self.sessions.run),
            ChildSpec(name="memory-budget", run=self._budget.run),
            ChildSpec(name="listings", run=self.listings.run),
            ChildSpec(name="last-words", run=self._words.run),
            ChildSpec(
                name="control",
                run=partial(serve_control, self._backends.control_path, self._tell),
            ),
            ChildSpec(name="reaper", run=self._backends.reap_forever),
            ChildSpec(name="snapshots", run=self._apply_published, mailboxes=(self._mailbox,)),
        ]
        if self._store is not None:
            # Before `sessions`, and so stopped after it: these are written down as they close.
            children.insert(0, ChildSpec(name="session-store", run=self._store.run))
        if not self.options.static:
            self._watcher = CatalogWatcher(
                load=self._load,
                paths=partial(watched_paths, self.options, self._environ),
                publish=lambda snapshot, _change: self._mailbox.address.tell(Published(snapshot)),
                initial=self.snapshot,
                # Without --watch it still reloads when asked to (SIGHUP).
                watch_files=self.options.watch,
            )
            children.append(ChildSpec(name="catalog-watcher", run=self._watcher.run))
        return tuple(children)

    async def _apply_published(self) -> None:
        """Applies each snapshot that the watcher publishes."""
        while True:
            mail = await self._mailbox.receive()
            self.apply(mail.snapshot)

    def _lists_changed(self) -> None:
        """Tells the sessions."""
        self.sessions.lists_changed()

    def _pool_spec(self, name: str) -> ChildSpec:
        """How a server's pool is supervised."""
        door = self.doors[name]
        return ChildSpec(name=_child_name(door), run=door.run)

    def _make_door(self, server: EnabledServer) -> ServerDoor:
        """The pool of a server, or the runner of its tools."""
        if isinstance(server.launch, PociLaunch):
            return PociServer(
                server,
                self._backends.engine,
                reports=self.sessions,
                in_sight=self._backends.shares_files,
            )
        return ContainerPool(
            server,
            self._opener(server),
            starts=self._starts,
            deadlines=self._deadlines,
            reports=self.sessions,
            random=self._random,
            recall=partial(self._spoken_by, server.name),
            freezer=self._backends.freezer if isinstance(server.launch, ContainerLaunch) else None,
            budget=self._budget,
        )

    def _spoken_by(self, name: str) -> Spoken:
        """Which eras a server speaks, as far as it was found out earlier."""
        spoken = self.listings.spoken(name)
        server = self.snapshot.servers.get(name)
        if server is not None and isinstance(server.launch, RemoteLaunch) and not spoken.modern:
            # What runs there may be another release by now, and asking costs one request.
            return structs.replace(spoken, modern=None)
        return spoken

    def _opener(self, server: EnabledServer) -> Opener:
        """How a server is started."""
        match server.launch:
            case RemoteLaunch():
                return remote.opener_of(server)
            case ContainerLaunch() | ProcessLaunch():
                return container.opener_of(server, self._backends.runtime)
            case PociLaunch():
                raise TypeError("a poci entry has no pool")


def _child_name(door: ServerDoor) -> str:
    """A door's name in the tree: two doors of one server may overlap while the old one drains."""
    return f"pool:{door.server.name}:{id(door):x}"


def _secret_values(snapshot: Snapshot) -> Iterator[str]:
    """The values that no log may show: declared secrets, and what remote servers get as headers."""
    for server in snapshot.servers.values():
        launch = server.launch
        if isinstance(launch, RemoteLaunch):
            for value in launch.headers.values():
                # "Bearer <secret>": the scheme is no secret, and its word may stand anywhere.
                yield value.rpartition(" ")[2]
        else:
            for secret in server.entry.secrets:
                yield launch.env.get(secret.env, "")


@asynccontextmanager
async def open_gateway(
    options: GatewayOptions, environ: Mapping[str, str]
) -> AsyncIterator[Gateway]:
    """A running gateway without transports; at the end nothing of any server is left.

    Raises:
        ConfigError: what the command line names cannot be read.
    """
    backends = open_backends(options, environ)
    try:
        in_reach = await backends.engine_in_reach() if options.local_fallback else None
        load = partial(load_snapshot, options, environ, engine_in_reach=in_reach)
        gateway = Gateway(options, environ, snapshot=load(), load=load, backends=backends)
        async with trio.open_nursery() as nursery:
            await nursery.start(gateway.run)
            try:
                yield gateway
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + limits.EXIT_S):
                    await gateway.stop()
                nursery.cancel_scope.cancel()
    finally:
        await backends.aclose()
