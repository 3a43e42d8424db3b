"""Takes chance and real time out of one run: the same seed gives the same run, event by event.

What is replaced: the draws of trio's scheduler, random ids and keys, jitter, and worker threads, whose functions are run in
the loop, as long as the simulated disk takes. Sets of strings are ordered by PYTHONHASHSEED, which `tests.simulation.runs`
fixes in the processes that it starts.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest.mock import patch

import trio
from trio._core import _run

from gateway import limits

SMALL = {
    "MAX_INFLIGHT_PER_SESSION": 8,
    "MAX_SESSIONS": 6,
    "MAX_STATELESS_CALLS": 12,
    "MAX_LISTENERS": 3,
    "MAX_SERVER_REQUESTS": 3,
    "MAX_ROUNDS": 4,
}
"""Bounds that are lowered, so that a short run reaches them."""


_WRITERS = {"write", "write_atomic"}
"""The functions that need room on the disk."""


class Disk:
    """How long a worker thread takes, and whether it fails."""

    def __init__(self) -> None:
        self.takes_s = 0.0
        self.full = False

    async def run_sync(
        self,
        function: Callable[..., Any],
        *args: Any,
        abandon_on_cancel: bool = False,
        **_more: Any,
    ) -> Any:
        """Stands for `trio.to_thread.run_sync`: runs to its end even if the caller is cancelled, unless abandoned."""
        with trio.CancelScope(shield=not abandon_on_cancel):
            await trio.sleep(self.takes_s)
        if self.full and getattr(function, "__name__", "") in _WRITERS:
            raise OSError(28, "No space left on device")
        return function(*args)


@contextmanager
def seeded(seed: int, disk: Disk) -> Iterator[None]:
    """Within, everything that is random comes from the seed."""
    ids = Random(f"ids-{seed}")
    jitter = Random(f"jitter-{seed}")
    scheduling = Random(f"scheduling-{seed}")

    def make_random(*_seed: object) -> Random:
        return jitter

    def token_bytes(count: int = 16) -> bytes:
        return ids.randbytes(count)

    def token_text(count: int = 16) -> str:
        return ids.randbytes(count).hex()

    run_sync: Callable[..., Awaitable[Any]] = disk.run_sync
    with (
        patch.object(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", new=True),
        patch.object(_run, "_r", scheduling),
        patch.object(secrets, "token_bytes", token_bytes),
        patch.object(secrets, "token_hex", token_text),
        patch.object(secrets, "token_urlsafe", token_text),
        patch("actors.supervisor.Random", make_random),
        patch("actors.listening.Random", make_random),
        patch.object(trio.to_thread, "run_sync", run_sync),
        patch.multiple(limits, **SMALL),
    ):
        yield
