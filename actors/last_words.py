"""Keeps the end of what each server wrote on its stderr, once it has stopped: `server inspect` shows it.

Must not know servers; it gets names and texts. Only the newest text of a server is kept, on disk as in the queue.
"""

from __future__ import annotations

import trio

from gateway import limits
from gateway.home import Home, write_atomic
from gateway.telemetry.log import get_logger
from gateway.telemetry.redaction import redact

log = get_logger("last-words")

_PRIVATE = 0o600


class LastWords:
    """Writes texts to `Home.stderr`, secrets masked."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._unsaved: dict[str, str] = {}
        self._work = trio.Event()

    def keep(self, server: str, stderr: str) -> None:
        """Has the text written soon."""
        self._unsaved[server] = stderr
        self._work.set()

    async def run(self) -> None:
        """Writes until cancelled, and then what is left: servers speak their last words when all is stopped."""
        try:
            while True:
                await self._work.wait()
                self._work = trio.Event()
                await self._save_all()
        finally:
            with trio.move_on_after(limits.LAST_WRITES_S, shield=True):
                await self._save_all()

    async def _save_all(self) -> None:
        """Writes what waits."""
        while self._unsaved:
            await self._save(*self._unsaved.popitem())

    async def _save(self, server: str, stderr: str) -> None:
        """Writes one file."""

        def write() -> None:
            write_atomic(self._home.stderr(server), redact(stderr).encode(), mode=_PRIVATE)

        try:
            await trio.to_thread.run_sync(write)
        except OSError as error:
            log.debug("stderr_not_kept", server=server, reason=str(error))
