"""Whose containers and processes are abandoned: a lock per running gateway tells. Must not know servers or sessions.

A gateway holds a lock on `run/<instance>.lock` of its home for its life. Pids would prove nothing: gateways run in
containers, and engines on other machines. What carries our home's id and belongs to a lock that can be taken is removed;
what belongs to other homes is never touched.
"""

from __future__ import annotations

import fcntl
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from gateway.errors import BackendError
from gateway.home import Home
from gateway.runtimes.engine_facts import Found
from gateway.runtimes.holdings import Holdings
from gateway.telemetry.log import get_logger

_log = get_logger("runtimes")
_INSTANCE: Final = re.compile(r"[0-9a-f]{32}")


class Containers(Protocol):
    """What the reaper asks of an engine."""

    async def find(self, *, home_id: str = "", instance_id: str = "") -> list[Found]:
        """Containers with gateway labels."""

    async def remove(self, identity: str) -> None:
        """Kills and removes one."""


class InstanceLock:
    """A running gateway's sign of life. Made by `take`; dies with the process, whatever kills it."""

    def __init__(self, instance_id: str, path: Path, descriptor: int) -> None:
        self.instance_id = instance_id
        self._path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, home: Home) -> InstanceLock:
        """Invents an instance id and locks it.

        Raises:
            OSError: the home cannot be written.
        """
        home.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        instance_id = uuid.uuid4().hex
        path = _lock_path(home, instance_id)
        # Locked before it has its name: a reaper never sees it free.
        nameless = path.with_suffix(".new")
        descriptor = os.open(nameless, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        nameless.rename(path)
        return cls(instance_id, path, descriptor)

    def release(self) -> None:
        """Gives up the lock. Idempotent; only for a gateway that has cleaned up."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            self._path.unlink(missing_ok=True)
            os.close(descriptor)


@contextmanager
def claimed(home: Home, instance_id: str) -> Iterator[bool]:
    """Whether that gateway is dead; if so, it stays so within, and its lock and socket are gone afterwards."""
    if not _INSTANCE.fullmatch(instance_id):
        # No gateway of ours names itself so: somebody else used our labels.
        yield False
        return
    path = _lock_path(home, instance_id)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        # It has ended in good order, or lost its home's run folder.
        yield True
        return
    except OSError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # Held; or a file system without locks, where nothing can be known.
        os.close(descriptor)
        yield False
        return
    try:
        yield True
        home.control(instance_id).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def gateway_lives(home: Home, instance_id: str) -> bool:
    """Whether that gateway of this home holds its lock. Only looks: for a moment the lock of a dead one is shared."""
    try:
        with _lock_path(home, instance_id).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def dead_instances(home: Home) -> bool:
    """Whether a gateway of this home was killed: it has left its lock behind, which can be taken."""
    for path in home.run.glob("*.lock"):
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        return True
    return False


def drop_stale_locks(home: Home) -> None:
    """Removes the lock files of dead gateways; call it after what they left has been removed."""
    for path in home.run.glob("*.lock"):
        with claimed(home, path.stem):
            pass


async def reap(engine: Containers, home: Home) -> list[str]:
    """Removes the containers of this home's dead gateways; gives their names. Failures are logged and left.

    Raises:
        EngineUnreachable
    """
    removed: list[str] = []
    for instance_id, group in _by_instance(await engine.find(home_id=home.identity())).items():
        with claimed(home, instance_id) as dead:
            if dead:
                removed += await _remove(engine, group)
    return removed


async def remove_orphans(engine: Containers, instance_id: str, holdings: Holdings) -> list[str]:
    """Removes what a gateway that runs has on the engine though nobody holds it; gives the names.

    Raises:
        EngineUnreachable
    """
    orphans = holdings.orphans(await engine.find(instance_id=instance_id))
    removed = await _remove(engine, orphans)
    if len(removed) < len(orphans):
        holdings.drop()
    return removed


async def remove_instance(engine: Containers, instance_id: str) -> list[str]:
    """Removes all that one gateway has started, by label: the last act of a shutdown. Gives the names.

    Raises:
        EngineUnreachable
    """
    return await _remove(engine, await engine.find(instance_id=instance_id))


async def _remove(engine: Containers, group: list[Found]) -> list[str]:
    names: list[str] = []
    for found in group:
        try:
            await engine.remove(found.id)
        except BackendError as error:
            _log.warning("leak_not_removed", container=found.name, error=str(error))
            continue
        _log.info("leak_removed", container=found.name, server=found.server)
        names.append(found.name)
    return names


def _by_instance(found: list[Found]) -> dict[str, list[Found]]:
    groups: dict[str, list[Found]] = {}
    for item in found:
        groups.setdefault(item.instance_id, []).append(item)
    return groups


def _lock_path(home: Home, instance_id: str) -> Path:
    return home.run / f"{instance_id}.lock"
