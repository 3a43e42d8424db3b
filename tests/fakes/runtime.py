"""A runtime in memory: servers are Python functions. Behaves as the real ones do (tests/contracts holds it to that).

Example::

    async def server(stdio: FakeStdio) -> int:
        while line := await stdio.read_line():
            await stdio.write(line)
        return 0

    runtime = FakeRuntime(nursery, {"mine": server})
    link = await runtime.start(request)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Final, NoReturn

import msgspec
import trio
import trio.testing

from gateway import limits
from gateway.errors import BackendError, Gone, StartFailed
from gateway.ports import RunOutput, StartRequest
from gateway.runtimes.stderr_tail import LineSink, StderrTail, discard_line

KILLED: Final = 137
"""Exit status of a server that was killed: 128 + SIGKILL."""


class FakeStdio:
    """What a fake server sees: its stdin, stdout, stderr."""

    def __init__(
        self,
        stdin: trio.testing.MemoryReceiveStream,
        stdout: trio.testing.MemorySendStream,
        tail: StderrTail,
    ) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self._tail = tail
        self._pending = b""

    async def read_line(self) -> bytes:
        """The next line without its end, b"" at the end of stdin."""
        while b"\n" not in self._pending:
            chunk = await self.stdin.receive_some()
            if not chunk:
                return b""
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    async def write(self, line: bytes) -> None:
        """Writes one line to stdout."""
        await self.stdout.send_all(line + b"\n")

    def log(self, text: str) -> None:
        """Writes one line to stderr."""
        self._tail.feed(text.encode() + b"\n")


Server = Callable[[FakeStdio], Awaitable[int | None]]
"""A server: returns its exit status; an exception is status 1 with its text on stderr. Cancelled when killed."""


async def echo_server(stdio: FakeStdio) -> int:
    """Answers `ping`, `initialize` and `tools/call` of `echo` as the tests' C server does; `crash` ends it."""
    while line := await stdio.read_line():
        message = msgspec.json.decode(line)
        match message:
            case {"id": identity, "method": "initialize", "params": params}:
                result: object = {
                    "protocolVersion": params["protocolVersion"],
                    "capabilities": {"tools": {"listChanged": True}},
                    "serverInfo": {"name": "echo", "version": "1"},
                }
            case {"id": identity, "method": "ping"}:
                result = {}
            case {"id": identity, "method": "tools/list"}:
                schema = {"type": "object", "properties": {"text": {"type": "string"}}}
                result = {"tools": [{"name": "echo", "description": "echo", "inputSchema": schema}]}
            case {"id": identity, "method": "tools/call", "params": {"name": "echo", **rest}}:
                text = msgspec.convert(rest["arguments"], dict[str, str])["text"]
                result = {"content": [{"type": "text", "text": text}], "isError": False}
            case {"method": "tools/call", "params": {"name": "stderr", **rest}}:
                stdio.log(msgspec.convert(rest["arguments"], dict[str, str])["text"])
                identity, result = message["id"], {}
            case {"method": "tools/call", "params": {"name": "crash", **rest}}:
                stdio.log("crashing as told")
                return msgspec.convert(rest["arguments"], dict[str, int])["status"]
            case _:
                continue
        await stdio.write(msgspec.json.encode({"jsonrpc": "2.0", "id": identity, "result": result}))
    return 0


class FakeLink:
    """`ports.Link` to a fake server."""

    def __init__(self, name: str, tail: StderrTail) -> None:
        self.name = name
        self.kind = "memory"
        self._tail = tail
        self.stdin, theirs = trio.testing.memory_stream_one_way_pair()
        mine, self.stdout = trio.testing.memory_stream_one_way_pair()
        self.stdio = FakeStdio(theirs, mine, tail)
        self._scope = trio.CancelScope()
        self._status: int | None = None
        # Set once the server has ended, and once the link is closed.
        self.ended = trio.Event()
        self._closing = False

    async def learn_ending(self) -> None:
        """Waits for the server's end."""
        with trio.move_on_after(limits.ENDING_S):
            await self.ended.wait()

    def stderr_tail(self) -> str:
        """The last of the server's stderr."""
        return self._tail.text()

    def exit_status(self) -> int | None:
        """The exit status, None while it runs."""
        return self._status

    async def send_all(self, frame: bytes | memoryview) -> None:
        """Writes to the server's stdin."""
        try:
            await self.stdin.send_all(frame)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Gone(f"{self.name} no longer reads its input") from error

    def send_nowait(self, frame: bytes | memoryview) -> int:  # noqa: ARG002 -- this kind of link must always wait
        """Writes nothing."""
        return 0

    async def receive_some(self) -> bytes:
        """The next bytes of stdout; b"" once it has ended."""
        try:
            return bytes(await self.stdout.receive_some(limits.READ_CHUNK_BYTES))
        except trio.ClosedResourceError:
            return b""

    async def aclose(self) -> None:
        """Ends stdin, waits, then kills."""
        with trio.CancelScope(shield=True):
            if not self._closing:
                self._closing = True
                self.stdin.close()
                with trio.move_on_after(limits.STOP_GRACE_S):
                    await self.ended.wait()
            await self._end()
        await trio.lowlevel.checkpoint()

    async def kill(self) -> None:
        """Ends the server at once."""
        self._closing = True
        with trio.CancelScope(shield=True):
            await self._end()
        await trio.lowlevel.checkpoint()

    async def run(self, server: Server) -> None:
        """Lives the server's life."""
        try:
            with self._scope:
                self._status = await server(self.stdio) or 0
            if self._scope.cancelled_caught:
                self._status = KILLED
        except Exception as error:  # noqa: BLE001 # a server's crash is its own, whatever it is
            self.stdio.log(repr(error))
            self._status = 1
        finally:
            self._tail.end()
            self.stdio.stdout.close()
            self.stdio.stdin.close()
            self.ended.set()

    async def _end(self) -> None:
        self._scope.cancel()
        await self.ended.wait()
        self.stdin.close()
        self.stdout.close()


class FakeRuntime:
    """`ports.Runtime` and `ports.OneShotRuntime`; servers are found by name.

    Args:
        nursery: where the servers live; cancelling it kills them.
        servers: what runs for which server; `echo_server` for a name that is not there.
        on_stderr: takes each line of stderr.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        servers: Mapping[str, Server] | None = None,
        *,
        on_stderr: LineSink = discard_line,
    ) -> None:
        self._nursery = nursery
        self.servers = dict(servers or {})
        self._on_stderr = on_stderr
        self._numbers = count(1)
        # Every link that was ever handed out, in order.
        self.links: list[FakeLink] = []
        # What tests set: errors instead of starts, how long a start takes, what a container prints.
        self.failures: dict[str, BackendError] = {}
        self.start_s = 0.0
        self.outputs: dict[str, RunOutput] = {}
        # What was asked for, in order.
        self.requests: list[StartRequest] = []

    @property
    def live(self) -> list[FakeLink]:
        """The links whose server still runs."""
        return [link for link in self.links if not link.ended.is_set()]

    async def start(self, request: StartRequest) -> FakeLink:
        """Starts a server after `start_s`, or raises what `failures` names for it."""
        self.requests.append(request)
        await trio.sleep(self.start_s)
        if failure := self.failures.get(request.server):
            raise failure
        name = f"fake-{request.server}-{next(self._numbers)}"
        link = FakeLink(name, StderrTail(request.server, self._on_stderr))
        self.links.append(link)
        self._nursery.start_soon(link.run, self.servers.get(request.server, echo_server))
        return link

    async def run(self, request: StartRequest) -> RunOutput:
        """Says what `outputs` holds for the server."""
        self.requests.append(request)
        await trio.sleep(self.start_s)
        if failure := self.failures.get(request.server):
            raise failure
        if request.server not in self.outputs:
            raise StartFailed(f"nothing to say is set for {request.server}")
        return self.outputs[request.server]


async def mute_server(stdio: FakeStdio) -> int:
    """Reads and never answers."""
    while await stdio.read_line():
        pass
    return 0


async def deaf_server(stdio: FakeStdio) -> NoReturn:
    """Neither reads nor ends by itself: only a kill ends it."""
    del stdio
    await trio.sleep_forever()


def exiting_server(status: int, stderr: str = "") -> Server:
    """A server that ends at once."""

    async def server(stdio: FakeStdio) -> int:
        if stderr:
            stdio.log(stderr)
        await trio.lowlevel.checkpoint()
        return status

    return server


def flooding_server(chunk: bytes) -> Server:
    """A server that writes `chunk` for ever, as fast as it is read."""

    async def server(stdio: FakeStdio) -> int:
        while True:
            await stdio.stdout.send_all(chunk)

    return server
