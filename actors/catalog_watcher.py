"""The catalog-watcher: keeps the configuration current while files change. Must not know what is in the files.

It looks at modification times to learn that something may have changed, loads everything anew, and publishes only
what really differs. A file that breaks after it was good changes nothing: the last good snapshot stays in force.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import trio

from gateway.catalog.model import EntryFault, Snapshot
from gateway.catalog.snapshot import SnapshotDiff, diff_snapshots
from gateway.errors import ConfigError
from gateway.limits import WATCH_POLL_S, WATCH_SETTLE_CAP_S, WATCH_SETTLE_S
from gateway.telemetry.log import get_logger

log = get_logger("catalog")

_MS = 1000

Fingerprint = tuple[object, ...]
"""What `stat` says of every watched file: equal ones mean that nothing happened."""


class CatalogWatcher:
    """Publishes snapshots when files change. One runs per gateway.

    Args:
        load: reads everything; called in a thread.
        paths: the files and folders that `load` depends on, existing or not; called in a thread.
        publish: takes a new snapshot with what it changes; must not block.
        initial: the snapshot in force; without it, `run` loads and publishes the first one.
        watch_files: whether to look at files at all; else only `reload` reloads.
    """

    def __init__(
        self,
        load: Callable[[], Snapshot],
        paths: Callable[[], tuple[Path, ...]],
        publish: Callable[[Snapshot, SnapshotDiff], None],
        *,
        initial: Snapshot | None = None,
        watch_files: bool = True,
    ) -> None:
        self._load = load
        self._paths = paths
        self._publish = publish
        self._watch_files = watch_files
        # The last good snapshot: what is in force.
        self._current = initial
        # The files as they were when that, or a broken one after it, was loaded. Not known of an initial snapshot:
        # the first poll loads once more, so that what happened before the watch began is not missed.
        self._seen: Fingerprint | None = None
        # Set when the files must be read; replaced by a new one when they are.
        self._wake = trio.Event()
        # What was last said of broken files, so that it is said once.
        self._complaints: frozenset[str] = frozenset()
        # Watching and stat calls have threads of their own: a hanging mount must not starve others.
        self._threads = trio.CapacityLimiter(2)

    def __repr__(self) -> str:
        """Shows what is in force."""
        count = "nothing" if self._current is None else f"{len(self._current.servers)} servers"
        return f"<CatalogWatcher {count}>"

    @property
    def current(self) -> Snapshot | None:
        """The snapshot in force."""
        return self._current

    def reload(self) -> None:
        """Asks for a reload, whether files changed or not; returns at once."""
        self._wake.set()

    async def run(self) -> None:
        """Watches until cancelled; may be run again.

        Raises:
            ConfigError: there is no snapshot yet and the first cannot be loaded.
        Cancellation: leaves no thread behind; done within 0.3 s.
        """
        if self._current is None:
            await self._refresh()
        async with trio.open_nursery() as nursery:
            if self._watch_files:
                nursery.start_soon(self._watch)
            while True:
                await self._wake.wait()
                self._wake = trio.Event()
                await self._settle()
                await self._refresh()

    # --- loading ------------------------------------------------------------------------------------------------

    async def _refresh(self) -> None:
        """Loads, and publishes what differs."""
        seen = await self._fingerprint()
        try:
            # Abandoned when cancelled: it only reads, and what it keeps is replaced as a whole.
            snapshot = await trio.to_thread.run_sync(self._load, abandon_on_cancel=True)
        except ConfigError as error:
            if self._current is None:
                raise
            self._seen = seen
            self._complain(frozenset({str(error)}))
            return
        # Not before: a cancelled load must not count as one.
        self._seen = seen
        if broken := self._newly_broken(snapshot):
            self._complain(frozenset(map(str, broken)))
            return
        self._accept(snapshot)

    def _accept(self, snapshot: Snapshot) -> None:
        """Puts a snapshot in force."""
        old, self._current = self._current or Snapshot(servers={}), snapshot
        self._complaints = frozenset()
        for fault in set(snapshot.faults) - set(old.faults):
            log.warning("catalog_entry_unusable", server=fault.name, reason=str(fault))
        for note in [note for note in snapshot.notes if note not in old.notes]:
            log.info("catalog_note", note=note)
        if change := diff_snapshots(old, snapshot):
            self._publish(snapshot, change)

    def _newly_broken(self, snapshot: Snapshot) -> list[EntryFault]:
        """Files that cannot be read now, and could be for the snapshot in force."""
        if self._current is None:
            return []
        known = {fault.origin.source for fault in self._current.faults if fault.whole_file}
        return [
            fault
            for fault in snapshot.faults
            if fault.whole_file and fault.origin.source not in known
        ]

    def _complain(self, complaints: frozenset[str]) -> None:
        """Says once that a reload was refused."""
        for complaint in complaints - self._complaints:
            log.warning("catalog_reload_refused", reason=complaint, kept="the last good state")
        self._complaints = complaints

    # --- watching -----------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Wakes the loader whenever the files are not as they were when last loaded."""
        stop = threading.Event()
        async with trio.open_nursery() as nursery:
            # Its thread cannot be cancelled, but looks at this event every few milliseconds.
            nursery.start_soon(_set_when_cancelled, stop)
            notices = _Notices(self._paths, stop)
            while True:
                seen = await trio.to_thread.run_sync(notices.wait, limiter=self._threads)
                if seen is None:
                    await trio.sleep(WATCH_POLL_S)
                    seen = await self._fingerprint()
                if seen != self._seen:
                    self._wake.set()

    async def _settle(self) -> None:
        """Waits until the files rest: editors write in several steps."""
        with trio.move_on_after(WATCH_SETTLE_CAP_S):
            before: Fingerprint | None = None
            while (now := await self._fingerprint()) != before:
                before = now
                await trio.sleep(WATCH_SETTLE_S)

    async def _fingerprint(self) -> Fingerprint:
        return await trio.to_thread.run_sync(
            lambda: fingerprint(self._paths()), abandon_on_cancel=True, limiter=self._threads
        )


async def _set_when_cancelled(event: threading.Event) -> None:
    try:
        await trio.sleep_forever()
    finally:
        event.set()


class _Notices:
    """Waits for the kernel's news of a set of paths; lives in the watching thread."""

    def __init__(self, paths: Callable[[], tuple[Path, ...]], stop: threading.Event) -> None:
        self._paths = paths
        self._stop = stop
        # The running watch and the folders that it covers.
        self._news: Iterator[Any] | None = None
        self._folders: frozenset[Path] = frozenset()
        # Whether it was said that the kernel cannot watch.
        self._blind = False

    def wait(self) -> Fingerprint | None:
        """The state of the paths after the next news, or after `WATCH_POLL_S` without any.

        None where the kernel cannot watch, or the watch was stopped: the caller then waits by itself.
        """
        try:
            folders = watch_folders(self._paths())
            if folders != self._folders or self._news is None:
                # The old watch ends with its last reference.
                self._news, self._folders = _open_watch(folders, self._stop), folders
            if next(self._news, None) is None:
                return None
        except Exception as error:  # noqa: BLE001 - the library raises its own, OSError, RuntimeError
            self._news = None
            if not self._blind:
                log.warning("catalog_watch_polls", reason=str(error))
            self._blind = True
            return None
        return fingerprint(self._paths())


def _open_watch(folders: frozenset[Path], stop: threading.Event) -> Iterator[Any]:
    """The kernel's news of the folders' own files, one set per burst, an empty one at each poll."""
    import watchfiles  # noqa: PLC0415 - lazy: not needed to answer the first request

    return watchfiles.watch(
        *folders,
        watch_filter=None,
        step=int(WATCH_SETTLE_S * _MS),
        stop_event=stop,
        # Where the kernel is blind (network and shared folders), the state is compared this often.
        rust_timeout=int(WATCH_POLL_S * _MS),
        yield_on_timeout=True,
        recursive=False,
    )


def watch_folders(paths: tuple[Path, ...]) -> frozenset[Path]:
    """The existing folders in which a change of the paths shows: a rename replaces a file, not its content.

    A path that does not exist yet shows up below its nearest existing ancestor; a link in its own folder and its
    target's.
    """
    folders: set[Path] = set()
    for path in paths:
        for place in {path, path.resolve()}:
            if _may_watch(place):
                folders.add(place)
            folders.add(next(parent for parent in place.parents if _may_watch(parent)))
    return frozenset(folders)


def _may_watch(path: Path) -> bool:
    """Whether the path is a folder that we may look into; the root always is."""
    return path.parent == path or (os.access(path, os.R_OK | os.X_OK) and path.is_dir())


def fingerprint(paths: tuple[Path, ...]) -> Fingerprint:
    """What can be seen of the paths without reading: of a folder, its files' state, too."""
    marks: list[object] = []
    for path in paths:
        marks.append((path, _mark(path)))
        with suppress(OSError), os.scandir(path) as children:
            marks.append(sorted((child.name, _mark(Path(child.path))) for child in children))
    return tuple(marks)


def _mark(path: Path) -> tuple[int, ...]:
    """Inode, size and times of a file, links followed; () where there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return ()
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode)
