"""A container engine in simulated time: starts fail, hang and take long as told; every container is counted.

Implements `ports.Runtime`; its links implement `ports.Link`, with bounded pipes.
"""

from __future__ import annotations

import math
from collections import deque
from random import Random

import trio

from gateway import limits
from gateway.errors import EngineUnreachable, Gone, StartFailed
from gateway.ports import RunOutput, StartRequest
from tests.simulation.oracle import Oracle, Served
from tests.simulation.schedule import Character
from tests.simulation.servers import Server

PULL_S = 300.0
"""How long a start may hang: an image is pulled from a registry that does not answer."""
_PIPE_CHUNKS = 64
"""What a container may write before it is read."""


class Engine:
    """All containers of a run.

    Args:
        nursery: where they live.
        oracle: told of them.
        seed: what they do comes from it.
    """

    def __init__(self, nursery: trio.Nursery, oracle: Oracle, seed: int) -> None:
        self.nursery = nursery
        self.oracle = oracle
        self.seed = seed
        self.characters: dict[str, tuple[Character, str]] = {}
        """By spec hash: who is started, and its isolation."""
        self.links: list[SimLink] = []
        self.starting = 0
        self.is_gone = False
        self.slow_s = 0.0
        self.failing: set[str] = set()
        self.hanging: set[str] = set()

    @property
    def live(self) -> list[SimLink]:
        """Containers that are not removed."""
        return [link for link in self.links if not link.is_removed]

    async def start(self, request: StartRequest) -> SimLink:
        """Starts a container."""
        character, isolation = self.characters[request.spec_hash]
        self.starting += 1
        try:
            await trio.sleep(character.start_s + self.slow_s)
            if self.is_gone:
                raise EngineUnreachable("the simulated engine is gone")
            if request.server in self.hanging:
                await trio.sleep(PULL_S)
            if request.server in self.failing:
                raise StartFailed(f"{request.server} cannot be started")
        finally:
            self.starting -= 1
        name = f"{request.server}-{len(self.links) + 1}"
        self.oracle.note("started", name)
        link = SimLink(name, character, isolation, self)
        self.links.append(link)
        self.nursery.start_soon(link.live)
        return link

    async def run(self, request: StartRequest) -> RunOutput:
        """There are no one-shot containers here."""
        await trio.lowlevel.checkpoint()
        raise StartFailed(f"{request.server} is no one-shot container")


class SimLink:
    """One container: its two pipes, and its end."""

    def __init__(self, name: str, character: Character, isolation: str, engine: Engine) -> None:
        self.name = name
        self.kind = "memory"
        self.is_removed = False
        self.served = Served(name, isolation, repeats=character.retry and character.annotated)
        self.character = character
        self._engine = engine
        self._status: int | None = None
        self._out: deque[bytes] = deque()
        self._readable = trio.Event()
        self._taken = trio.Event()
        self._ended = trio.Event()
        self._closing = False
        self._scope = trio.CancelScope()
        self._random = Random(f"{engine.seed}-{name}-pipe")
        self._ending_s = Random(f"{engine.seed}-{name}-ending").choice((0.0, 0.03, 0.3, math.inf))
        self._is_learned = False
        self.server = Server(self, engine.oracle, engine.seed)

    async def live(self) -> None:
        """The life of the process in it."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                self.server.live(nursery)
                await self._ended.wait()
                nursery.cancel_scope.cancel()
        self._end(137)

    def die(self, status: int) -> None:
        """The process ends now."""
        self._engine.oracle.note("died", self.name, status)
        self._end(status)

    def _end(self, status: int) -> None:
        if self._status is None:
            self._status = status
        self._ended.set()
        self._readable.set()
        self._taken.set()

    @property
    def has_ended(self) -> bool:
        """Whether its process has ended."""
        return self._ended.is_set()

    # --- the server's side -------------------------------------------------------------------------------------

    async def say(self, frame: bytes) -> None:
        """Writes to stdout; waits while nobody reads."""
        while len(self._out) >= _PIPE_CHUNKS and not self.has_ended:
            self._taken = trio.Event()
            await self._taken.wait()
        self._out.append(frame)
        self._readable.set()

    # --- ports.Link --------------------------------------------------------------------------------------------

    async def send_all(self, frame: bytes | memoryview) -> None:
        """Writes to stdin."""
        await trio.lowlevel.checkpoint()
        self._check_open()
        self.server.feed(bytes(frame))

    def send_nowait(self, frame: bytes | memoryview) -> int:
        """Writes all, nothing or a part, as a pipe takes it."""
        self._check_open()
        taken = self._random.choice((0, len(frame), len(frame), len(frame) // 2))
        self.server.feed(bytes(frame[:taken]))
        return taken

    def _check_open(self) -> None:
        if self.has_ended or self._closing:
            raise Gone(f"{self.name} no longer reads its input")

    async def receive_some(self) -> bytes:
        """Reads stdout."""
        while not self._out and not self.has_ended:
            self._readable = trio.Event()
            await self._readable.wait()
        await trio.lowlevel.checkpoint()
        if not self._out:
            return b""
        chunk = b"".join(self._out)
        self._out.clear()
        self._taken.set()
        return chunk

    async def learn_ending(self) -> None:
        """Learns how it ended, soon or never."""
        with trio.move_on_after(limits.ENDING_S):
            await trio.sleep(self._ending_s + self._engine.slow_s)
            self._is_learned = True

    def stderr_tail(self) -> str:
        """Nothing."""
        return ""

    def exit_status(self) -> int | None:
        """How it ended, once that was learned."""
        return self._status if self._is_learned else None

    async def aclose(self) -> None:
        """Ends stdin, waits, then kills, and removes it."""
        with trio.CancelScope(shield=True):
            if not self._closing:
                self._closing = True
                if self.character.obeys_eof:
                    self._engine.nursery.start_soon(self._end_soon)
                with trio.move_on_after(2 * limits.STOP_GRACE_S):
                    await self._ended.wait()
            await self._remove()
        await trio.lowlevel.checkpoint()

    async def kill(self) -> None:
        """Kills and removes it."""
        self._closing = True
        with trio.CancelScope(shield=True):
            await self._remove()
        await trio.lowlevel.checkpoint()

    async def _end_soon(self) -> None:
        await trio.sleep(0.05)
        self._end(0)

    async def _remove(self) -> None:
        self._end(137)
        await trio.sleep(min(self._engine.slow_s, limits.REMOVE_TIMEOUT_S))
        if not self.is_removed:
            self.is_removed = True
            self._engine.oracle.note("removed", self.name)
