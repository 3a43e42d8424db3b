"""The stdio transport over real pipes and sockets: lines, bad lines, ends from either side."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing

from gateway import limits
from gateway.errors import Overloaded
from gateway.transports.backlog import Backlog
from gateway.transports.stdio import serve_stdio
from tests.fakes.sessions import FakeSessions
from tests.unit.gateway.transports.pipes import StdioClient, stdio_client
from tests.unit.gateway.transports.serving import INITIALIZE, request


@pytest.fixture(params=["pipes", "sockets"])
def client(request: pytest.FixtureRequest) -> Iterator[StdioClient]:
    """A client of either kind; Node starts its children with sockets."""
    with stdio_client(sockets=request.param == "sockets") as client:
        yield client


async def test_requests_are_answered_line_by_line(
    client: StdioClient, nursery: trio.Nursery
) -> None:
    """One message a line, in order."""
    nursery.start_soon(client.serve)
    await client.send(INITIALIZE)
    assert (await client.receive())["id"] == 0
    assert client.session.transport == "stdio"
    assert client.session.principal.name == "local"
    await client.send(request("chatty", 5))
    assert (await client.receive())["method"] == "notifications/message"
    assert await client.receive() == {"jsonrpc": "2.0", "id": 5, "result": {}}


async def test_what_belongs_to_no_request_is_written_too(
    client: StdioClient, nursery: trio.Nursery
) -> None:
    """There is only one stream."""
    nursery.start_soon(client.serve)
    await client.send(request("ping"))
    await client.receive()
    client.session.notify()
    assert "list_changed" in str((await client.receive())["method"])


async def test_the_end_of_input_ends_the_session(client: StdioClient) -> None:
    """Calls under way are given up after a moment, for nobody reads any more."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.serve)
        await client.send(request("later"))
        while not client.sessions.all:
            await trio.testing.wait_all_tasks_blocked()
        await client.session.has_waiting.wait()
        client.close_input()
    assert client.session.closed
    assert client.spoken is True


async def test_answers_due_at_the_end_of_input_are_still_written(client: StdioClient) -> None:
    """`printf '…' | mcpgw` shows its answers, the last line without a newline too."""
    await client.write(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
    await client.write(b'{"jsonrpc":"2.0","id":2,"method":"later"}\n')
    await client.write(b'{"jsonrpc":"2.0","id":3,"method":"ping"}')
    client.close_input()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.serve)
        assert (await client.receive())["id"] == 1
        assert (await client.receive())["id"] == 3
        client.session.answer()
        assert (await client.receive())["id"] == 2


async def test_a_client_that_says_nothing_is_told_apart(client: StdioClient) -> None:
    """A container run without `-i` has no stdin: its operator needs another message."""
    client.close_input()
    await client.serve()
    assert client.spoken is False
    assert client.session.closed


async def test_a_client_that_no_longer_reads_ends_it(client: StdioClient) -> None:
    """Its end of our stdout is closed; the input may stay open for good."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.serve)
        client.close_output()
        await client.send(request("ping"))
    assert client.session.closed
    assert client.spoken is True


async def test_a_client_that_lets_its_answers_pile_up_is_given_up(
    client: StdioClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the bound the connection ends; memory is never unbounded."""
    monkeypatch.setattr("gateway.transports.stdio.Backlog", lambda: Backlog(limits.MIB))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.serve)
        await client.send(request("ping"))
        await client.receive()
        attached = client.session.attached
        assert attached is not None
        for _ in range(20):
            attached.send(b"x" * 100_000)
        client.close_output()
    assert client.session.closed


async def test_a_session_that_closes_ends_it(client: StdioClient) -> None:
    """Shutdown comes from the other side."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.serve)
        await client.send(request("ping"))
        await client.receive()
        client.session.close()


async def test_cancelled_while_it_waits(client: StdioClient) -> None:
    """The session is closed, and stdout is itself again."""
    before = os.fstat(client.theirs[1])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.serve)
        await client.send(request("ping"))
        await client.receive()
        nursery.cancel_scope.cancel()
    assert client.session.closed
    assert os.fstat(client.theirs[1]).st_ino == before.st_ino


BAD_LINES = {
    "not JSON": (b"hello", None, -32700),
    "two objects": (b'{"jsonrpc":"2.0","id":1,"method":"ping"} {}', None, -32700),
    "invalid UTF-8": (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', None, -32700),
    "deep nesting": (b'{"a":' * 5000 + b"1" + b"}" * 5000, None, -32700),
    "lone surrogate": (rb'{"jsonrpc":"2.0","id":1,"method":"\udc00"}', None, -32700),
    "a batch": (b"[]", None, -32600),
    "no version": (b'{"id":4,"method":"ping"}', 4, -32600),
    "unknown method": (b'{"jsonrpc":"2.0","id":4,"method":"nope"}', 4, -32601),
}


@pytest.mark.parametrize("name", BAD_LINES)
async def test_a_bad_line_costs_one_line(name: str, nursery: trio.Nursery) -> None:
    """It gets the error the specification names, with the id where it could be read, and the next is served."""
    line, request_id, code = BAD_LINES[name]
    with stdio_client() as client:
        nursery.start_soon(client.serve)
        await client.write(line + b"\n\r\n  \n")
        answer = await client.receive()
        assert (answer["id"], answer["error"]["code"]) == (request_id, code)  # type: ignore[index]
        await client.send(request("ping", 9))
        assert (await client.receive())["id"] == 9
        nursery.cancel_scope.cancel()


async def test_a_line_without_end_is_answered_once_and_passed_over(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gigabyte never fills the memory; after its end the connection goes on."""
    monkeypatch.setattr(limits, "MAX_FRAME_BYTES", 100_000)
    with stdio_client() as client:
        nursery.start_soon(client.serve)
        await client.write(b"x" * limits.MIB)
        assert (await client.receive())["error"]["code"] == -32700  # type: ignore[index]
        await client.write(b"x" * limits.MIB + b"\n")
        await client.send(request("ping", 9))
        assert (await client.receive())["id"] == 9
        nursery.cancel_scope.cancel()


async def test_no_session_no_service() -> None:
    """The caller says why."""
    sessions = FakeSessions()
    sessions.full = True
    with pytest.raises(Overloaded):
        await serve_stdio(sessions, stdin_fd=-1, stdout_fd=-1)


PROGRAM = """
import os, sys, trio
from gateway.transports.stdio import serve_stdio
from tests.fakes.sessions import FakeSessions

async def main():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(chatter)
        await serve_stdio(FakeSessions())
        nursery.cancel_scope.cancel()

async def chatter():
    await trio.lowlevel.checkpoint()
    print("stray print", flush=True)
    os.system("echo stray child")
    sys.stderr.write("blocking: %s %s\\\\n" % (os.get_blocking(0), os.get_blocking(2)))

trio.run(main)
print("after the end", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("source", ["pipe", "file", "null"])
def test_stdout_carries_the_protocol_only(source: str, tmp_path: Path) -> None:
    """Prints of ours, of libraries and of children land on stderr while the protocol runs."""
    line = b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n'
    file = tmp_path / "input"
    file.write_bytes(line)
    with file.open("rb") as opened:
        stdin = {
            "pipe": {"input": line},
            "file": {"stdin": opened},
            "null": {"stdin": subprocess.DEVNULL},
        }[source]
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM], capture_output=True, check=True, timeout=30, **stdin
        )  # type: ignore[call-overload]
    answers = b"" if source == "null" else b'{"jsonrpc":"2.0","id":1,"result":{}}\n'
    assert ran.stdout == answers + b"after the end\n"
    assert b"stray print\nstray child\nblocking: True True" in ran.stderr


async def test_batches_of_2025_03_26() -> None:
    """One line in, one line out."""
    with stdio_client() as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.serve)
            await client.send([{"jsonrpc": "2.0", "id": 1, "method": "ping"}])
            assert '"code":-32600' in (await client.line()).decode()
            client.session.protocol_version = "2025-03-26"
            ping = {"jsonrpc": "2.0", "method": "ping"}
            await client.send([ping | {"id": 1}, ping | {"id": 2}])
            assert [answer["id"] for answer in msgspec.json.decode(await client.line())] == [1, 2]
            client.close_input()


async def test_notifications_are_not_counted_as_requests() -> None:
    """Whatever a session makes of them: at the end of input, what is owed is waited for, and nothing else."""
    with stdio_client() as client:
        await client.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        await client.send({"jsonrpc": "2.0", "id": 1, "method": "ping"})
        client.close_input()
        await client.serve()
        assert (await client.receive())["id"] == 1
