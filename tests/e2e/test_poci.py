"""Tools that are one container run per call, on a real engine."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
import trio

from actors.poci import PociServer
from gateway.catalog.model import PociLaunch, PociTool
from gateway.home import Home
from gateway.jsonrpc.codec import raw
from gateway.runtimes.container_config import Owner
from gateway.runtimes.docker_engine import DockerEngine
from gateway.runtimes.engine_endpoint import Endpoint
from gateway.runtimes.link_choice import LinkChoice
from gateway.runtimes.ownership import InstanceLock
from tests.fakes.house import Answers, Notes, enabled

pytestmark = pytest.mark.slow

SCHEMA = '{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}'
PATIENCE_S = 30


def launch_of(image: str) -> PociLaunch:
    """Three tools made of the small C server's arguments."""

    def tool(name: str, *command: str) -> PociTool:
        return PociTool(name, name, SCHEMA, image=image, command=command)

    return PociLaunch(
        tools=(
            tool("say", "--print={{text}}"),
            tool("fail", "--stderr={{text}}", "--exit=3"),
            tool("hang", "--ignore-eof"),
        ),
        disable_network=True,
        memory_bytes=64 * 1024 * 1024,
        cpus=1.0,
        pids=32,
    )


@pytest.fixture
async def server(
    engine: Endpoint, echo_image: str, home: Home, nursery: trio.Nursery
) -> AsyncIterator[PociServer]:
    """A running server of these tools."""
    lock = InstanceLock.take(home)
    runtime = DockerEngine(engine, Owner(home.identity(), lock.instance_id), links=LinkChoice(home))
    entry = msgspec.structs.replace(enabled("tools"), launch=launch_of(echo_image))
    server = PociServer(entry, runtime, reports=Notes())
    nursery.start_soon(server.run)
    yield server
    await server.wait_idle()
    await runtime.aclose()
    lock.release()


async def answered(
    server: PociServer, tool: str, text: str, timeout_s: float = PATIENCE_S
) -> object:
    """What a call is answered."""
    answers = Answers()
    call = answers.call(timeout_s=timeout_s)
    call.fields = {"name": raw(tool), "arguments": raw({"text": text})}
    server.submit(call)
    with trio.fail_after(PATIENCE_S):
        await server.wait_idle()
    return answers.ended[call]


@pytest.mark.parametrize("text", ["hello", "-n --x; $HOME `id`", "a\nb", "käse"])
async def test_what_a_tool_prints_is_its_answer(server: PociServer, text: str) -> None:
    """The argument arrives as it was given."""
    answer = await answered(server, "say", text)
    assert isinstance(answer, msgspec.Raw)
    assert msgspec.json.decode(answer) == {
        "content": [{"type": "text", "text": text}],
        "isError": False,
    }


async def test_a_tool_that_fails_says_why(server: PociServer) -> None:
    """Its exit status and its stderr."""
    answer = await answered(server, "fail", "no such page")
    assert isinstance(answer, msgspec.Raw)
    result = msgspec.json.decode(answer)
    assert result["isError"] is True
    assert "exit status 3" in result["content"][0]["text"]
    assert "no such page" in result["content"][1]["text"]


async def test_a_tool_that_hangs_is_removed_at_its_deadline(server: PociServer) -> None:
    """The caller is told; `no_leftovers` looks that nothing is there any more."""
    answer = await answered(server, "hang", "", timeout_s=1.5)
    assert "within 1.5 s" in str(answer)
