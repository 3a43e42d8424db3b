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

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import cast

import msgspec
import trio

from actors.backends import Backends, open_backends
from actors.budget import MemoryBudget
from actors.call import Deadlines
from actors.call_log import CallLog
from actors.catalog_watcher import CatalogWatcher
from actors.kit.mailbox import Mailbox
from actors.kit.supervisor import ChildSpec, Supervisor
from actors.last_words import LastWords
from actors.listings import Listings
from actors.servers import ServerDoor, Servers, Surroundings
from actors.session_store import SessionStore
from actors.sessions import SessionRegistry
from actors.status import status_of
from gateway import limits
from gateway.catalog.model import Snapshot
from gateway.catalog.snapshot import diff_snapshots, secret_values
from gateway.configuration import load_snapshot, watched_paths
from gateway.home import Home
from gateway.options import GatewayOptions
from gateway.telemetry.log import get_logger, redact_values
from gateway.transports.control import serve_control

log = get_logger("gateway")

_SNAPSHOT_MAILBOX = 4


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
            self.doors,
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
        self.servers = Servers(
            self.doors,
            Surroundings(
                backends=backends,
                reports=self.sessions,
                listings=self.listings,
                deadlines=self._deadlines,
                budget=self._budget,
                random=self._random,
                load=load,
            ),
        )
        self._mailbox: Mailbox[Published] = Mailbox(_SNAPSHOT_MAILBOX, name="snapshots")
        self._watcher: CatalogWatcher | None = None
        self._tree = Supervisor("gateway", self._random, self._permanent_children())
        redact_values(secret_values(snapshot))
        self.servers.open(snapshot)
        self.listings.apply(snapshot.servers, self.doors)

    # --- health ------------------------------------------------------------------------------------------------

    def ready(self) -> bool:
        """Whether new work is accepted."""
        return not self.sessions.draining

    def degraded(self) -> bool:
        """Whether the container engine did not answer when it was last asked."""
        return bool(self._backends.engine_trouble)

    def report(self) -> dict[str, object]:
        """State for people: `actors.status.Status` as plain JSON types."""
        status = status_of(
            self._tree.children(),
            dict(self.servers.states()),
            instance=self._backends.instance_id,
            started=self.started,
            ready=self.ready(),
            engine_trouble=self._backends.engine_trouble,
            sessions=len(self.sessions),
        )
        return cast("dict[str, object]", msgspec.to_builtins(status))

    # --- life --------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Lives until `stop`, or until cancelled; then nothing of any server is left."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._tree.run)
            self.servers.start(self._tree)
            task_status.started()

    async def _tell(self) -> bytes:
        """The state for the commands of our user, with the memory that containers use now."""
        await self._budget.measure()
        return msgspec.json.encode(self.report())

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
        await self.servers.kill()

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
        redact_values(secret_values(snapshot))
        if not change:
            return
        log.info(
            "snapshot_applied",
            added=list(change.added),
            removed=list(change.removed),
            changed=list(change.changed),
        )
        self.servers.apply(change, snapshot, self._tree)
        self.listings.apply(snapshot.servers, self.doors, watched=len(self.sessions) > 0)

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
            ChildSpec(name="shared-networks", run=self._backends.watch_networks),
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
