"""gateway/runtimes/choice.py: each launch goes to its runtime."""

from __future__ import annotations

import trio

from gateway.catalog.model import ContainerLaunch, ProcessLaunch
from gateway.ports import StartRequest
from gateway.runtimes.choice import RuntimeByLaunch
from tests.fakes.runtime import FakeRuntime

CONTAINER = StartRequest(
    server="c",
    launch=ContainerLaunch(image="i", memory_bytes=1, cpus=1.0, pids=1),
    spec_hash="",
)
PROCESS = StartRequest(server="p", launch=ProcessLaunch(command=("x",)), spec_hash="")


async def test_by_kind(nursery: trio.Nursery) -> None:
    """Containers go to the engine, processes to the operating system."""
    engine, system = FakeRuntime(nursery), FakeRuntime(nursery)
    runtime = RuntimeByLaunch({"docker": engine, "process": system})
    for request in (CONTAINER, PROCESS):
        await (await runtime.start(request)).aclose()
    assert engine.requests == [CONTAINER]
    assert system.requests == [PROCESS]
