"""A pool's and a session's surroundings: servers that are in memory, and notes of what was reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import trio

from actors.budget import UNBOUNDED, MemoryBudget
from actors.call import Answer, Call, Deadlines
from actors.container_pool import ContainerPool
from actors.server_request import ServerRequest
from actors.starts import Starts
from gateway.catalog.model import (
    ContainerLaunch,
    EnabledServer,
    Isolation,
    Origin,
    Pooling,
    ServerEntry,
)
from gateway.errors import BackendError, GatewayError
from gateway.jsonrpc.messages import Message, Notification
from gateway.mcp.listing import ServerLists
from tests.fakes.server import FakeServer, raw

LAUNCH = ContainerLaunch(image="fake", memory_bytes=1, cpus=1.0, pids=1)


def enabled(
    name: str = "fake",
    *,
    isolation: Isolation = "session",
    spec_hash: str = "spec-1",
    tools: frozenset[str] | None = None,
    **pooling: Any,
) -> EnabledServer:
    """An enabled server with short, explicit rules."""
    rules = Pooling(
        isolation=isolation,
        warm=0,
        max=3,
        idle_s=60.0,
        max_inflight=4,
        timeout_s=60.0,
        init_timeout_s=30.0,
        long_lived=False,
    )
    return EnabledServer(
        name=name,
        entry=ServerEntry(name=name, origin=Origin("test")),
        launch=LAUNCH,
        pooling=msgspec.structs.replace(rules, **pooling),
        spec_hash=spec_hash,
        list_key=f"{name}-{spec_hash}",
        tools=tools,
    )


class FakeBackend:
    """Opens `FakeServer`s; keeps all it opened. `make` builds the next one, or raises what a start raises."""

    def __init__(self, make: Callable[[], FakeServer] = FakeServer) -> None:
        self.make = make
        self.opened: list[FakeServer] = []
        self.gate: trio.Event | None = None

    async def open(self) -> FakeServer:
        """An `Opener`."""
        await trio.lowlevel.checkpoint()
        if self.gate is not None:
            await self.gate.wait()
        server = self.make()
        self.opened.append(server)
        return server

    @property
    def running(self) -> list[FakeServer]:
        """Those that are not closed."""
        return [server for server in self.opened if not server.is_closed]


class FakeFreezer:
    """Implements `Freezer` by writing down. `uses` is what each container uses; `fails` is raised instead."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.uses: dict[str, int] = {}
        self.fails: dict[str, BackendError] = {}

    async def freeze(self, name: str) -> None:
        """Notes it."""
        await self._do("freeze", name)

    async def thaw(self, name: str) -> None:
        """Notes it."""
        await self._do("thaw", name)

    async def memory_bytes(self, name: str) -> int:
        """What the test said."""
        await trio.lowlevel.checkpoint()
        return self.uses.get(name, 0)

    async def _do(self, step: str, name: str) -> None:
        await trio.lowlevel.checkpoint()
        if step in self.fails:
            raise self.fails[step]
        self.done.append(f"{step} {name}")


class Notes:
    """Implements `Reports` by writing down."""

    def __init__(self) -> None:
        self.lists: dict[str, ServerLists] = {}
        self.unlisted_because: dict[str, GatewayError] = {}
        self.private: list[tuple[str, str, ServerLists | None]] = []
        self.notices: list[tuple[str, str, Notification]] = []
        self.words: dict[str, str] = {}
        self.requests: list[tuple[str, ServerRequest]] = []

    def learned(self, server: str, lists: ServerLists) -> None:
        """Everybody's lists."""
        self.lists[server] = lists

    def unlisted(self, server: str, error: GatewayError) -> None:
        """No lists."""
        self.unlisted_because[server] = error

    def changed_for(self, owner: str, server: str, lists: ServerLists | None) -> None:
        """One owner's lists."""
        self.private.append((owner, server, lists))

    def notified(self, owner: str, server: str, notification: Notification) -> None:
        """A notification without a call."""
        self.notices.append((owner, server, notification))

    def asked(self, owner: str, request: ServerRequest) -> None:
        """A server's request."""
        self.requests.append((owner, request))

    def last_words(self, server: str, stderr: str) -> None:
        """The end of a stderr."""
        self.words[server] = stderr


class Answers:
    """Makes calls and keeps what became of them."""

    def __init__(self) -> None:
        self.ended: dict[Call, Answer | None] = {}
        self.relayed: list[Message] = []

    def call(self, owner: str = "session:a", *, timeout_s: float = 60.0, **more: Any) -> Call:
        """A `tools/call` of `echo`."""
        return Call(
            "tools/call",
            {"name": raw("echo")},
            server="fake",
            owner=owner,
            timeout_s=timeout_s,
            settled=self._settled,
            relayed=lambda _call, message: self.relayed.append(message),
            **more,
        )

    def text(self, call: Call) -> str:
        """What a call was answered: the text of its result, or of its failure."""
        answer = self.ended[call]
        if isinstance(answer, msgspec.Raw):
            return str(json.loads(bytes(answer))["content"][0]["text"])
        return "withdrawn" if answer is None else answer.message

    def _settled(self, call: Call, answer: Answer | None) -> None:
        assert call not in self.ended, "settled twice"
        self.ended[call] = answer


def make_pool(
    nursery: trio.Nursery,
    backend: FakeBackend,
    server: EnabledServer | None = None,
    *,
    notes: Notes | None = None,
    freezer: FakeFreezer | None = None,
    budget: MemoryBudget = UNBOUNDED,
) -> ContainerPool:
    """A running pool over `backend`."""
    deadlines = Deadlines()
    pool = ContainerPool(
        server or enabled(),
        backend.open,
        starts=Starts(4),
        deadlines=deadlines,
        reports=notes or Notes(),
        random=Random(1),
        freezer=freezer,
        budget=budget,
    )
    nursery.start_soon(deadlines.run)
    nursery.start_soon(pool.run)
    return pool
