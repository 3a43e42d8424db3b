"""Keeps what is needed to go on with clients' sessions after a restart of the gateway (`--session-store`).

Must not know sessions; it gets records. Each is a file, named after a hash of the session's id, for the id is a secret.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

from gateway import limits
from gateway.home import write_atomic
from gateway.session_records import SessionRecord, key_of, pack_record, parse_record
from gateway.telemetry.log import get_logger

log = get_logger("session-store")

_PRIVATE: Final = 0o600
_SUFFIX: Final = ".json"


class SessionStore:
    """The records in one folder.

    Args:
        folder: made with the first record.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._left: dict[str, SessionRecord] = {}
        """By key: sessions of earlier gateways that nobody has come back to."""
        self._left_until = 0.0
        """When these are given up, on trio's clock."""
        self._unsaved: dict[str, SessionRecord | None] = {}
        """By key: what is to be written; None for what is to be removed."""
        self._work = trio.Event()
        self._failed = False

    def __repr__(self) -> str:
        """How many sessions may come back."""
        return f"<SessionStore {len(self._left)} left, {len(self._unsaved)} unsaved>"

    def load(self) -> None:
        """Reads what earlier gateways left, the newest `limits.MAX_SESSIONS`.

        Raises:
            NewerRecord: a later version of the gateway has written it.
        """
        self._left_until = trio.current_time() + limits.SESSION_IDLE_S
        with suppress(OSError):
            self._folder.chmod(0o700)
        for path in sorted(self._files(), key=_changed, reverse=True):
            record = None
            if len(self._left) < limits.MAX_SESSIONS:
                with suppress(OSError):
                    record = parse_record(path.read_bytes())
            if record is None:
                self._unsaved[path.stem] = None
            else:
                self._left[path.stem] = record
        if self._unsaved:
            self._work.set()

    def keep(self, session_id: str, record: SessionRecord) -> None:
        """Has a session's record written soon, in place of an earlier one."""
        self._unsaved[key_of(session_id)] = record
        self._work.set()

    def forget(self, session_id: str) -> None:
        """Has a session's record removed soon: it has ended."""
        key = key_of(session_id)
        self._left.pop(key, None)
        self._unsaved[key] = None
        self._work.set()

    def take(self, session_id: str, principal: str) -> SessionRecord | None:
        """The record of a session that an earlier gateway, or a crash, has left; None where there is none for that principal."""
        key = key_of(session_id)
        record = self._left.get(key)
        if record is None or record.principal != principal:
            return None
        del self._left[key]
        return record

    def leave(self, session_id: str, record: SessionRecord) -> None:
        """The session ends with this gateway, or with a crash in it, not for its client."""
        self._left[key_of(session_id)] = record

    async def run(self) -> None:
        """Writes until cancelled, and then what is left."""
        try:
            while True:
                with trio.move_on_at(self._left_until) as waiting:
                    await self._work.wait()
                if waiting.cancelled_caught:
                    self._give_up_left()
                self._work = trio.Event()
                await self._save_all()
        finally:
            with trio.move_on_after(limits.LAST_WRITES_S, shield=True):
                await self._save_all()

    def _give_up_left(self) -> None:
        """Nobody came back to them in the time that an idle session is kept."""
        self._left_until = trio.current_time() + limits.SESSION_IDLE_S
        self._unsaved.update(dict.fromkeys(self._left))
        self._left.clear()

    async def _save_all(self) -> None:
        while self._unsaved:
            await self._save(*self._unsaved.popitem())

    async def _save(self, key: str, record: SessionRecord | None) -> None:
        path = self._folder / f"{key}{_SUFFIX}"

        def write() -> None:
            if record is None:
                path.unlink(missing_ok=True)
            else:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_atomic(path, pack_record(record), mode=_PRIVATE)

        try:
            await trio.to_thread.run_sync(write)
        except OSError as error:
            if not self._failed:
                log.warning("sessions_not_kept", folder=str(self._folder), reason=str(error))
            self._failed = True
        else:
            self._failed = False

    def _files(self) -> list[Path]:
        try:
            return list(self._folder.glob(f"*{_SUFFIX}"))
        except OSError:
            return []


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
