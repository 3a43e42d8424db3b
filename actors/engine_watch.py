"""Whether an engine that is at work for us answers in time. Must not know which engine it is, nor what it does.

A start may take minutes for good reasons (a pull, a big image), so that its length tells nothing: while one is under way
the engine is asked something that costs it nothing. While nothing is, it is left alone, unless it was in trouble before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import trio

from gateway import limits
from gateway.errors import BackendError, EngineUnreachable
from gateway.ports import Link, OneShotRuntime, RunOutput, Runtime, StartRequest
from gateway.telemetry.log import get_logger

log = get_logger("backends")


class Engine(Runtime, OneShotRuntime, Protocol):
    """A container engine."""


class EngineWatch:
    """Asks while there is work, or trouble.

    Args:
        ping: asks the engine; it need not bound itself. None where nobody could be asked.
        slow_s: an answer that takes so long is trouble.
    """

    def __init__(
        self, ping: Callable[[], Awaitable[None]] | None, *, slow_s: float = limits.ENGINE_SLOW_S
    ) -> None:
        self.trouble = ""
        """What is wrong with it, in one sentence; "" while nothing is."""
        self.used = False
        """Whether anything was ever asked of it: only then is there something of ours to look for."""
        self._ping = ping
        self._slow_s = slow_s
        self._at_work = 0
        self._work = trio.Event()

    @contextmanager
    def working(self) -> Iterator[None]:
        """While the engine does something for us; an error that it does not answer is noted on its way through."""
        self.used = True
        self._at_work += 1
        self._work.set()
        try:
            yield
        except EngineUnreachable as error:
            self.failed(str(error))
            raise
        else:
            self.succeeded()
        finally:
            self._at_work -= 1

    def failed(self, reason: str) -> None:
        """It did not do what it was asked: from now on it is asked until it answers."""
        self._note(reason)
        self._work.set()

    def succeeded(self) -> None:
        """It did what it was asked; where it can be asked, that tells more."""
        if self._ping is None:
            self._note("")

    async def run(self) -> None:
        """Asks now and then, until cancelled; work that is done sooner than that is not looked at."""
        if self._ping is None:
            await trio.sleep_forever()
        while True:
            await self._work.wait()
            await trio.sleep(limits.ENGINE_SLOW_S)
            if self._at_work or self.trouble:
                self._note(await self._asked(self._ping))
            else:
                self._work = trio.Event()

    async def _asked(self, ping: Callable[[], Awaitable[None]]) -> str:
        """What is wrong with an answer."""
        began = trio.current_time()
        try:
            with trio.fail_after(limits.ENGINE_PROBE_S):
                await ping()
        except trio.TooSlowError:
            return f"the container engine has not answered for {limits.ENGINE_PROBE_S:g} s"
        except BackendError as error:
            return str(error)
        took_s = trio.current_time() - began
        if took_s < self._slow_s:
            return ""
        return f"the container engine takes {took_s:.0f} s for an answer"

    def _note(self, trouble: str) -> None:
        """Logs where it begins and where it ends."""
        if trouble and not self.trouble:
            log.warning("engine_in_trouble", reason=trouble)
        if self.trouble and not trouble:
            log.info("engine_answers")
        self.trouble = trouble


class WatchedEngine:
    """An engine that is watched while it works for us."""

    def __init__(self, engine: Engine, watch: EngineWatch) -> None:
        self._engine = engine
        self._watch = watch

    async def start(self, request: StartRequest) -> Link:
        """Starts a server."""
        with self._watch.working():
            return await self._engine.start(request)

    async def run(self, request: StartRequest) -> RunOutput:
        """Runs a container to its end."""
        with self._watch.working():
            return await self._engine.run(request)
