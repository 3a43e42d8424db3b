"""Servers not written here run in our containers, confined as all are: cap-drop ALL, limits, init."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest
import trio

from gateway.catalog.model import ContainerLaunch
from gateway.home import Home
from gateway.ports import Link, StartRequest
from gateway.runtimes.container_config import Owner
from gateway.runtimes.docker_engine import DockerEngine
from gateway.runtimes.engine_endpoint import Endpoint
from gateway.runtimes.link_choice import LinkChoice
from gateway.runtimes.ownership import InstanceLock
from tests.images.real import SERVERS

pytestmark = pytest.mark.slow

MEMORY = 512 * 1024 * 1024
CALLS = {
    "time": ("get_current_time", {"timezone": "Europe/Berlin"}, b"Europe/Berlin"),
    "git": ("git_log", {"repo_path": "/srv/repo"}, b"first commit"),
    "everything": ("echo", {"message": "hello"}, b"Echo: hello"),
    "filesystem": ("list_allowed_directories", {}, b"/srv"),
    "memory": ("read_graph", {}, b"entities"),
}


@pytest.fixture(params=["fifo", "attach"])
async def start(
    request: pytest.FixtureRequest, engine: Endpoint, real_image: str, home: Home
) -> AsyncIterator[Callable[[str], Awaitable[Link]]]:
    """Starts one of `SERVERS` by name, over either link."""
    lock = InstanceLock.take(home)
    owner = Owner(home.identity(), lock.instance_id)
    docker = DockerEngine(engine, owner, links=LinkChoice(home, request.param))
    links: list[Link] = []

    async def start(name: str) -> Link:
        launch = ContainerLaunch(
            image=real_image, command=SERVERS[name], memory_bytes=MEMORY, cpus=1.0, pids=128
        )
        link = await docker.start(StartRequest(server=name, launch=launch, spec_hash=""))
        links.append(link)
        return link

    yield start
    for link in links:
        await link.kill()
    await docker.aclose()
    lock.release()


async def ask(link: Link, identity: int, method: str, params: dict) -> bytes:
    """One request, and the line that answers it."""
    request = {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}
    await link.send_all(msgspec.json.encode(request) + b"\n")
    received = b""
    while True:
        chunk = await link.receive_some()
        assert chunk, link.stderr_tail()
        *lines, received = (received + chunk).split(b"\n")
        for line in lines:
            message = msgspec.json.decode(line)
            if message.get("id") == identity and "method" not in message:
                return line


@pytest.mark.parametrize("name", list(SERVERS))
async def test_answers_a_call(name: str, start: Callable[[str], Awaitable[Link]]) -> None:
    """Handshake, one call with a checked result, and an end within the grace."""
    link = await start(name)
    with trio.fail_after(30):
        hello = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "tests", "version": "1"},
        }
        assert b"serverInfo" in await ask(link, 1, "initialize", hello)
        await link.send_all(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        tool, arguments, expected = CALLS[name]
        answer = await ask(link, 2, "tools/call", {"name": tool, "arguments": arguments})
        assert expected in answer
    with trio.fail_after(4.5):
        await link.aclose()
