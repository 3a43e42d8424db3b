"""Unpacks mcpgw.pyz at its first start, and removes the files of other builds. Must not know the gateway.

Several processes may start at once: one unpacks and the others wait for it; where the file system has no locks, each
unpacks into a folder of its own and the first rename wins.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from . import cache

_FILES = "site-packages/"
"""Where shiv puts the files within the archive."""
_PARTIAL = ".mcpgw-partial-"
_GONE = ".mcpgw-gone-"


def unpack(archive: str, build_id: str) -> str:
    """Unpacks into the first root that takes it, and returns the folder, in use by this process.

    Raises:
        OSError: none does; the message is one sentence for people.
    """
    refusals = []
    for root in map(Path, cache.roots()):
        try:
            _prepare(root)
            with _turn(root):
                folder = _settle(archive, root / cache.folder_name(build_id))
                _remove_others(folder)
        except OSError as error:
            refusals.append(f"{root} ({error.strerror or error})")
        else:
            return str(folder)
    raise OSError(
        f"no folder to unpack into: {', '.join(refusals)}; name a writable one in MCPGW_CACHE"
    )


def _prepare(root: Path) -> None:
    """Makes the root if need be. Raises OSError if it cannot be used."""
    root.parent.mkdir(exist_ok=True)
    with suppress(FileExistsError):
        root.mkdir(mode=0o700)
    if not cache.is_trusted(str(root)):
        raise PermissionError(errno.EPERM, "not ours, or writable for others")
    if os.statvfs(root).f_flag & getattr(os, "ST_NOEXEC", 0):  # macOS does not name it
        raise PermissionError(errno.EPERM, "mounted noexec")


@contextmanager
def _turn(root: Path) -> Iterator[None]:
    """Waits until no other process unpacks below this root."""
    with (root / ".turn").open("wb") as lock:
        with suppress(OSError):  # a file system without locks: the rename decides
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _settle(archive: str, folder: Path) -> Path:
    """The build's folder, in use by this process; unpacked now unless another process was faster."""
    if cache.enter(str(folder)) is not None:
        return folder
    _say(f"first start, unpacking to {folder.parent} (takes a few seconds)")
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=_PARTIAL))
    try:
        _extract(archive, partial)
        _put(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    if cache.enter(str(folder)) is None:
        raise OSError(errno.EBUSY, "the unpacked files vanished")
    return folder


def _extract(archive: str, folder: Path) -> None:
    """Writes all files, and then the lock that calls them complete."""
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder, [name for name in opened.namelist() if name.startswith(_FILES)])
    (folder / cache.LOCK).touch()


def _put(partial: Path, folder: Path) -> None:
    """Gives the unpacked files their name, unless a faster process did."""
    with suppress(OSError):
        partial.rename(folder)
        return
    if cache.enter(str(folder)) is not None:
        return
    # Something took files out of it: those who tidy temporary folders go by age, file by file.
    _remove(folder)
    partial.rename(folder)


def _remove_others(folder: Path) -> None:
    """Removes the builds beside this one that no process runs, and what died half-way."""
    with suppress(OSError):  # tidying must not keep anyone from starting
        for entry in folder.parent.iterdir():
            if entry.name.startswith((_PARTIAL, _GONE)):
                shutil.rmtree(entry, ignore_errors=True)
            elif cache.is_folder_name(entry.name) and entry.name != folder.name:
                _remove_unused(entry)


def _remove_unused(folder: Path) -> None:
    """Removes one build unless a process holds its lock. Without a lock it is damaged, and nobody can enter it."""
    try:
        lock = (folder / cache.LOCK).open("rb")
    except FileNotFoundError:
        _remove(folder)
        return
    with lock, suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(folder)


def _remove(folder: Path) -> None:
    """Takes the folder's name away at once, and then its files."""
    gone = Path(tempfile.mkdtemp(dir=folder.parent, prefix=_GONE))
    folder.rename(gone / folder.name)
    shutil.rmtree(gone, ignore_errors=True)


def _say(sentence: str) -> None:
    """Tells people on stderr; stdout may carry the protocol, and a desktop client may have closed both."""
    if sys.stderr is not None:
        print(f"mcpgw: {sentence}", file=sys.stderr, flush=True)  # noqa: T201 - logging is not there yet
