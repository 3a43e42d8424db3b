"""Where the unpacked files of mcpgw.pyz lie, and who uses them. Must not unpack, and know nothing of the gateway.

    <root>/mcpgw-<build id>/lock             held shared by every process that runs these files
    <root>/mcpgw-<build id>/site-packages/   the files

The roots, in order: `$MCPGW_CACHE`, `$XDG_CACHE_HOME/mcpgw` or `~/.cache/mcpgw`, `<temporary directory>/mcpgw-<uid>`.
Code is imported from there, so a folder counts only if nobody but root and ourselves can have written it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator

LOCK = "lock"
"""Name of the lock file. It is written last, so it also says that the folder is complete."""
BUILD_ID_DIGITS = 16
"""Hex digits of a build id: 64 bits keep two builds apart."""
_PREFIX = "mcpgw-"


def find(build_id: str) -> str | None:
    """The folder that holds the unpacked files of a build, in use by this process until it ends; None if none does."""
    for root in roots():
        folder = os.path.join(root, folder_name(build_id))
        if is_trusted(root) and enter(folder) is not None:
            return folder
    return None


def folder_name(build_id: str) -> str:
    """What the folder of a build is called."""
    return _PREFIX + build_id


def is_folder_name(name: str) -> bool:
    """Whether a file of that name in a root is the folder of some build. A root may hold other people's folders."""
    digits = name.removeprefix(_PREFIX)
    return (
        digits != name and len(digits) == BUILD_ID_DIGITS and set(digits) <= set("0123456789abcdef")
    )


def roots() -> Iterator[str]:
    """The places for unpacked files, best first; they need not exist."""
    environ = os.environ
    if chosen := environ.get("MCPGW_CACHE"):
        yield os.path.abspath(os.path.expanduser(chosen))
    if cache := environ.get("XDG_CACHE_HOME"):
        yield os.path.join(os.path.abspath(cache), "mcpgw")
    elif home := environ.get("HOME"):
        yield os.path.join(os.path.abspath(home), ".cache", "mcpgw")
    # Not tempfile.gettempdir(), which creates a file to try it out.
    yield os.path.join(os.path.abspath(environ.get("TMPDIR") or "/tmp"), f"mcpgw-{os.geteuid()}")  # noqa: S108 - trusted only if ours


def is_trusted(root: str) -> bool:
    """Whether the root exists, and nobody but root and ourselves may write in it or put another in its place.

    So `sudo -E` does not run what it finds in a user's home; and a symbolic link in /tmp leads nowhere.
    """
    try:
        status, above = os.lstat(root), os.stat(os.path.dirname(root))
    except OSError:
        return False
    ours = {0, os.geteuid()}
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid in ours
        and above.st_uid in ours
        and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def enter(folder: str) -> int | None:
    """Marks the folder as in use for as long as the descriptor returned is open; None if it is incomplete or goes."""
    try:
        lock = os.open(os.path.join(folder, LOCK), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno == errno.EWOULDBLOCK:
            os.close(lock)
            return None
        # A file system without locks: nobody can remove what is in use there either.
    # Who removes the folder holds the lock until it is gone; had he done by now, ours is a lock on nothing.
    if os.fstat(lock).st_nlink == 0:
        os.close(lock)
        return None
    return lock
