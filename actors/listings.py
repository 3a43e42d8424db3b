"""What all servers offer: read from the cache, learned from running servers, merged into one directory.

Lists are answered from here without starting anything. Must not know sessions: it tells a callback that something
changed, and each session compares with what its client has seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Protocol

import trio

from actors.list_files import ListFiles
from actors.list_retries import ListRetries
from gateway import limits
from gateway.catalog.model import EnabledServer
from gateway.errors import GatewayError
from gateway.home import Home
from gateway.mcp.era_items import lists_for
from gateway.mcp.listing import ServerLists
from gateway.mcp.spoken import UNASKED, Spoken, era_of
from gateway.mcp.versions import Era
from gateway.options import NameMode
from gateway.routing import Directory, Offering, build_directory
from gateway.telemetry.log import get_logger

log = get_logger("listings")


class Lister(Protocol):
    """A server's pool, as the listings see it."""

    def want_lists(self) -> None:
        """Has the lists read, and reported to `Listings.learned` or `Listings.unlisted`."""


class Listings:
    """The lists of all servers, and the directory made of them.

    Args:
        home: where the lists are kept, one file per `EnabledServer.list_key`.
        names: how colliding names are told apart.
        schema_compat: whether tools are shown with simple schemas.
        changed: told after each change, a few at once.
    """

    def __init__(
        self,
        home: Home,
        *,
        names: NameMode,
        changed: Callable[[], None],
        schema_compat: bool = False,
    ) -> None:
        self._files = ListFiles(home)
        self._names = names
        self._schema_compat = schema_compat
        self._changed = changed
        self._servers: dict[str, EnabledServer] = {}
        self._listers: dict[str, Lister] = {}
        self._known: dict[str, dict[Era, ServerLists]] = {}
        """By server, and by the era in which it was asked: not all servers show the same in both."""
        self._retries = ListRetries()
        self._failures = trio.Event()
        """Set where there may be something to try again by itself."""
        self._asked: dict[str, float] = {}
        """Servers whose lists are on their way, and since when."""
        self._complete = trio.Event()
        self._dirty = trio.Event()
        self._settled_by = -math.inf
        """Until when news of a changed configuration wait for lists that are on their way."""
        self._unsaved: set[tuple[str, Era]] = set()
        self._to_save = trio.Event()
        self._converted: dict[tuple[str, Era], ServerLists] = {}
        """Lists of servers as clients of the other era see them: each call of such a client looks into one."""
        self._directories: dict[Era, Directory] = {}
        self._noted: frozenset[str] = frozenset()
        """What was said of hidden names already."""

    def __repr__(self) -> str:
        """How many servers are known."""
        known = f"{len(self._known)}/{len(self._servers)}"
        return f"<Listings known={known} asked={sorted(self._asked)}>"

    # --- what sessions ask -------------------------------------------------------------------------------------

    def directory(
        self, era: Era = "legacy", overrides: Mapping[str, ServerLists] | None = None
    ) -> Directory:
        """The merged directory for clients of that era; with `overrides`, as one sees it whose own containers differ."""
        if overrides:
            return self._build(era, overrides)
        if era not in self._directories:
            self._directories[era] = directory = self._build(era, {})
            self._tell_notes(directory)
        return self._directories[era]

    def lists_of(self, server: str, era: Era = "legacy") -> ServerLists | None:
        """One server's lists as clients of that era see them, None where they are not known."""
        known = self._known.get(server)
        if not known:
            return None
        if era in known:
            return known[era]
        if (server, era) not in self._converted:
            self._converted[server, era] = lists_for(era, next(iter(known.values())))
        return self._converted[server, era]

    def spoken(self, server: str) -> Spoken:
        """Which eras the server is known to speak."""
        spoken = UNASKED
        for lists in self._known.get(server, {}).values():
            spoken = spoken.merged(lists.spoken)
        return spoken

    def complete(self, patience_s: float) -> bool:
        """Whether the lists of every server are known, or known not to be had for now.

        Lists that have been on their way for `patience_s` are not waited for: one slow server must not cost every client
        that time again and again.
        """
        now = trio.current_time()
        return all(
            name in self._known
            or self._retries.hopeless(name, now)
            or now - self._asked.get(name, now) >= patience_s
            for name in self._servers
        )

    def missing(self) -> dict[str, str]:
        """The servers whose lists are not known, each with the reason."""
        return {
            name: self._retries.reason(name) or "still being listed"
            for name in self._servers
            if name not in self._known
        }

    async def wait_complete(
        self, patience_s: float, *, enough: Callable[[], bool] = lambda: False
    ) -> None:
        """Has all unknown lists read, in parallel, and waits for them, or until there are `enough`.

        The deadline is the caller's.
        """
        while not self.complete(patience_s) and not enough():
            self._ask_missing()
            event = self._complete
            await event.wait()

    # --- what pools report -------------------------------------------------------------------------------------

    def learned(self, server: str, lists: ServerLists) -> None:
        """These are the server's lists."""
        self._asked.pop(server, None)
        if server not in self._servers:
            return
        self._retries.forget(server)
        era = era_of(lists.version)
        known = self._known.setdefault(server, {})
        if known.get(era) != lists:
            known[era] = lists
            self._unsaved.add((server, era))
            self._touch()
        if self._unsaved:
            self._to_save.set()
        self._arrived()

    def unlisted(self, server: str, error: GatewayError) -> None:
        """The server's lists cannot be had for now; what was known stays."""
        # Not a warning: whoever found the error has logged it.
        log.debug("server_unlisted", server=server, reason=str(error))
        self._asked.pop(server, None)
        self._retries.failed(server, str(error), trio.current_time())
        self._failures.set()
        self._arrived()

    # --- life --------------------------------------------------------------------------------------------------

    def apply(
        self,
        servers: Mapping[str, EnabledServer],
        listers: Mapping[str, Lister],
        *,
        watched: bool = False,
    ) -> None:
        """Takes over a new set of servers: cached lists are read, those of changed servers forgotten.

        `watched`: clients are there that will not ask again by themselves. Unknown lists are read at once, and the
        clients are told when they are here: of what really changed, and once.
        """
        before = self._servers
        self._servers = dict(servers)
        self._listers = dict(listers)
        for name in [name for name in self._known if name not in servers]:
            del self._known[name]
        self._asked = {name: since for name, since in self._asked.items() if name in servers}
        for name, server in servers.items():
            old = before.get(name)
            if old is None or old.list_key != server.list_key:
                self._retries.forget(name)
                self._asked.pop(name, None)
                self._recall(server)
        if watched:
            self._settled_by = trio.current_time() + limits.UNCACHED_LIST_WAIT_S
        self._touch()
        self._arrived()

    async def run(self) -> None:
        """Tells of changes and saves what was learned, until cancelled. A slow disk holds up no news."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._save_forever)
            nursery.start_soon(self._retry_forever)
            while True:
                await self._dirty.wait()
                await trio.sleep(limits.LIST_COALESCE_S)
                if trio.current_time() < self._settled_by:
                    with trio.move_on_at(self._settled_by):
                        await self.wait_complete(limits.UNCACHED_LIST_WAIT_S)
                self._dirty = trio.Event()
                self._changed()

    def _recall(self, server: EnabledServer) -> None:
        """Reads a server's lists from the cache. What is stale or unreadable is as good as nothing."""
        self._known.pop(server.name, None)
        if found := self._files.recall(server):
            self._known[server.name] = found

    async def _save_forever(self) -> None:
        """Writes the lists that are not in the cache yet, whenever there are any."""
        while True:
            await self._to_save.wait()
            self._to_save = trio.Event()
            await self._save()

    async def _save(self) -> None:
        """Writes what waits; what a full or read-only disk did not take is tried again with the next lists."""
        unsaved, self._unsaved = self._unsaved, set()
        for name, era in unsaved:
            lists = self._known.get(name, {}).get(era)
            # None: forgotten while another one was being written.
            if lists is not None and not await self._files.save(self._servers[name], era, lists):
                self._unsaved.add((name, era))

    async def _retry_forever(self) -> None:
        """Tries again what failed, a few times: a client that was given less than all does not ask by itself."""
        while True:
            self._failures = trio.Event()
            with trio.move_on_at(self._retries.next_due()) as pause:
                await self._failures.wait()
            if pause.cancelled_caught:
                self._ask_due()

    def _ask_due(self) -> None:
        """Asks the pools of servers that failed and are due; those that went are forgotten."""
        now = trio.current_time()
        for name in self._retries.take_due(now):
            if name in self._servers and name not in self._known and name not in self._asked:
                self._asked[name] = now
                self._listers[name].want_lists()

    def _ask_missing(self) -> None:
        """Asks the pools of unknown servers, once each until they answer."""
        now = trio.current_time()
        for name in self._servers:
            hopeless = self._retries.hopeless(name, now)
            if name not in self._known and name not in self._asked and not hopeless:
                self._asked[name] = now
                self._listers[name].want_lists()

    def _arrived(self) -> None:
        """Wakes those who wait."""
        self._complete.set()
        self._complete = trio.Event()

    def _touch(self) -> None:
        """The directory is outdated."""
        self._directories.clear()
        self._converted.clear()
        self._dirty.set()

    def _tell_notes(self, directory: Directory) -> None:
        """Logs which names are hidden or changed, once each."""
        for note in directory.notes:
            if note not in self._noted:
                log.info("name_note", note=note)
        self._noted = frozenset(directory.notes)

    def _build(self, era: Era, overrides: Mapping[str, ServerLists]) -> Directory:
        """Merges lists in the order of the servers."""
        shown = {name: self.lists_of(name, era) for name in self._servers}
        shown |= {name: lists_for(era, lists) for name, lists in overrides.items()}
        offerings = [
            Offering(server=name, prefix=one.entry.prefix, lists=lists, allowed_tools=one.tools)
            for name, one in self._servers.items()
            if (lists := shown[name]) is not None
        ]
        return build_directory(offerings, names=self._names, schema_compat=self._schema_compat)
