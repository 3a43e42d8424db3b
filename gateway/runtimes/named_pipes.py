"""A pair of named pipes that stands for a server's stdin and stdout. Must not know engines, or what is written through.

The directory is ours alone (0700) and has a random name below the home's `run/`, beginning with the gateway's instance id
as everything there does: whose lock can be taken was killed, and `sweep_pipes` removes what it left. The pipes themselves
are 0666, for a server may run as anybody, and each is mounted by itself. Names and directory go as soon as the server has
opened both: from then on the descriptors are all there is.
"""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.home import Home
from gateway.runtimes.ownership import claimed
from gateway.telemetry.log import get_logger

_log = get_logger("runtimes")

_SUFFIX: Final = ".pipes"
_RANDOM_BYTES: Final = 8
_ANYBODY: Final = 0o666
_OURS: Final = os.O_NONBLOCK | os.O_CLOEXEC


class NamedPipes:
    """The two pipes and our ends of them. Made by `make`; either `keep` or `discard` must follow.

    `stdin` and `stdout` are non-blocking descriptors: what is written to the one a server reads, what it writes comes
    out of the other.
    """

    def __init__(self, folder: Path, stdin: int, stdout: int) -> None:
        self.folder = folder
        self.stdin = stdin
        self.stdout = stdout
        self.named = True
        """Whether there is still something in the file system."""

    def __repr__(self) -> str:
        """Where they are."""
        return f"<NamedPipes {self.folder}>"

    @classmethod
    def make(cls, home: Home, instance_id: str) -> NamedPipes:
        """Makes and opens them; blocking.

        Raises:
            OSError: the home's file system has no named pipes, or cannot be written. Nothing is left.
        """
        folder = home.run / f"{instance_id}.{secrets.token_hex(_RANDOM_BYTES)}{_SUFFIX}"
        folder.mkdir(mode=0o700, parents=True)
        pipes = cls(folder, -1, -1)
        try:
            for path in (pipes.stdin_path, pipes.stdout_path):
                os.mkfifo(path)
                # What `mkfifo` is told passes through the umask.
                path.chmod(_ANYBODY)
            # Open before the server comes: its own opens then return at once, and in any order. For writing alone a
            # pipe without a reader cannot be opened; `keep` opens it so.
            pipes.stdin = os.open(pipes.stdin_path, os.O_RDWR | _OURS)
            pipes.stdout = os.open(pipes.stdout_path, os.O_RDONLY | _OURS)
        except OSError:
            pipes.discard()
            raise
        return pipes

    @property
    def stdin_path(self) -> Path:
        """What is to be mounted where the server reads."""
        return self.folder / "in"

    @property
    def stdout_path(self) -> Path:
        """What is to be mounted where the server writes."""
        return self.folder / "out"

    def keep(self) -> None:
        """Call it once the server has opened both: the names go, the descriptors stay; blocking.

        From then on nobody but the server reads `stdin`, so that a write tells when it no longer does.

        Raises:
            OSError: somebody else took the names away.
        """
        writer = os.open(self.stdin_path, os.O_WRONLY | _OURS)
        os.close(self.stdin)
        self.stdin = writer
        self._unlink()

    def discard(self) -> None:
        """Closes and removes everything; blocking. Idempotent."""
        self.close()
        self._unlink()

    def close(self) -> None:
        """Closes our ends. Idempotent."""
        for descriptor in (self.stdin, self.stdout):
            if descriptor >= 0:
                os.close(descriptor)
        self.stdin = self.stdout = -1

    def _unlink(self) -> None:
        self.named = False
        for path in (self.stdin_path, self.stdout_path):
            path.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()


def sweep_pipes(home: Home) -> list[Path]:
    """Removes the directories that killed gateways of this home have left; gives them. Blocking."""
    swept: list[Path] = []
    for folder in sorted(home.run.glob(f"*{_SUFFIX}")):
        with claimed(home, folder.name.partition(".")[0]) as dead:
            if dead:
                shutil.rmtree(folder, ignore_errors=True)
                _log.info("leak_removed", pipes=str(folder))
                swept.append(folder)
    return swept
