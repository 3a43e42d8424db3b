"""Local processes written down, so that the next start ends those of a killed gateway. Must not know who starts them.

The kernel's own means, PR_SET_PDEATHSIG, would kill healthy children: it watches the thread that made them.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Final

import msgspec
import trio

from gateway import limits
from gateway.errors import ConfigError
from gateway.home import Home, write_atomic
from gateway.runtimes.ownership import claimed
from gateway.runtimes.process_table import (
    group_lives,
    process_space,
    signal_group,
    start_time,
)
from gateway.telemetry.log import get_logger

_log = get_logger("runtimes")
_POLL_S: Final = 0.02
_SUFFIX: Final = ".process"
_FORMAT: Final = 1  # count up when a record changes its meaning


class ProcessRecord(msgspec.Struct, frozen=True):
    """One process: the leader of its own group and session. `space` is where its id is valid.

    `format` is absent in early ones.
    """

    server: str
    pid: int
    start: str
    space: str
    format: int = _FORMAT


class NewerRecord(ConfigError):
    """A record of a later version of the gateway."""


class _Versioned(msgspec.Struct):
    """The part that all formats share."""

    format: int = _FORMAT


def record_process(home: Home, instance_id: str, server: str, pid: int) -> Path:
    """Writes a process down; blocking. The file is removed by whoever has seen the process's end."""
    record = ProcessRecord(server, pid, start_time(pid), process_space())
    path = home.run / f"{instance_id}.{pid}{_SUFFIX}"
    write_atomic(path, msgspec.json.encode(record), mode=0o600)
    return path


async def sweep_processes(home: Home) -> list[str]:
    """Ends the processes of this home's dead gateways: TERM to their groups, a grace, KILL. Gives their servers' names.

    What a newer mcpgw has written down is left to it.

    Cancellation: what was not ended stays written down.
    """
    swept: list[str] = []
    for path in sorted(home.run.glob(f"*{_SUFFIX}")):
        with claimed(home, path.name.partition(".")[0]) as dead:
            if not dead:
                continue
            try:
                record = _read(path)
            except NewerRecord as error:
                _log.warning("process_not_ended", reason=str(error))
                continue
            if record is not None and _is_alive(record):
                await end_group(record.pid)
                _log.info("leak_removed", process=record.pid, server=record.server)
                swept.append(record.server)
            path.unlink(missing_ok=True)
    return swept


def recorded_process(path: Path) -> tuple[str, str, bool]:
    """Of a record: its server, its process as people say it, and whether that process or its group still runs."""
    try:
        record = _read(path)
    except NewerRecord:
        return "", path.name, True
    if record is None:
        return "", path.name, False
    return record.server, f"process {record.pid}", _is_alive(record)


async def end_group(group: int) -> None:
    """TERM to a process group, a grace for it to go, KILL."""
    signal_group(group, signal.SIGTERM)
    with trio.move_on_after(limits.STOP_GRACE_S):
        # Nothing tells when a group of grandchildren is empty.
        while group_lives(group):  # noqa: ASYNC110 # as the comment says
            await trio.sleep(_POLL_S)
    signal_group(group, signal.SIGKILL)


def _read(path: Path) -> ProcessRecord | None:
    """The record; None where there is none, or it is damaged.

    Raises:
        NewerRecord
    """
    try:
        content = path.read_bytes()
        if msgspec.json.decode(content, type=_Versioned).format > _FORMAT:
            raise NewerRecord(f"{path} was written by a newer mcpgw: start that one once")
        return msgspec.json.decode(content, type=ProcessRecord)
    except (OSError, msgspec.DecodeError):
        return None


def _is_alive(record: ProcessRecord) -> bool:
    """Whether the recorded group still exists and is the same one."""
    if record.space != process_space() or not group_lives(record.pid):
        return False
    # A group outlives its leader; but an id that leads again, with another start, has been used again.
    return start_time(record.pid) in {record.start, ""}
