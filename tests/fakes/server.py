"""A small MCP server behind an in-memory `MessagePipe`: it answers at once, or when the test says so."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import trio

from gateway.errors import GatewayError, Gone
from gateway.jsonrpc.messages import Failure, Message, Notification, Request, Result

Script = Callable[[Request], Message | None]
"""What the server says to a request; None where the test will answer later."""


def raw(value: object) -> msgspec.Raw:
    """A value as JSON."""
    return msgspec.Raw(msgspec.json.encode(value))


def tool(name: str, **more: object) -> dict[str, object]:
    """A tool as a server lists it."""
    return {"name": name, "inputSchema": {"type": "object"}, **more}


class FakeServer:
    """Implements `MessagePipe`. Every request but those `held` is answered at once.

    Args:
        tools: what `tools/list` answers.
        held: methods that are left for the test to answer with `answer`.
        name: as a container would be called.
    """

    def __init__(
        self, *tools: dict[str, object], held: frozenset[str] = frozenset(), name: str = "fake"
    ) -> None:
        self.name = name
        self.tools = list(tools) or [tool("echo")]
        self.held = held
        self.seen: list[Message] = []
        self.is_closed = False
        self.is_killed = False
        self.stderr = ""
        self.learned = ""
        self.close_s = 0.0
        """How long it takes to end."""
        self.scripts: dict[str, Script] = {}
        self._in, self._out = trio.open_memory_channel[Message](math.inf)
        self._error: GatewayError | None = None

    # --- MessagePipe -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """There is nothing to move."""
        await trio.sleep_forever()

    def send(self, message: Message, *, deadline: float = math.inf) -> None:  # noqa: ARG002 -- it puts nothing off
        """Takes a message of the gateway, and answers it unless it is held."""
        if self._error is not None:
            raise Gone("the fake server is gone")
        self.seen.append(message)
        if isinstance(message, Request) and message.method not in self.held:
            script = self.scripts.get(message.method, self._answer)
            if (answer := script(message)) is not None:
                self._in.send_nowait(answer)

    async def receive(self) -> Message:
        """What the server says next."""
        try:
            return await self._out.receive()
        except trio.EndOfChannel:
            raise (self._error or Gone("the fake server ended")) from None

    def stderr_tail(self) -> str:
        """What the test put there."""
        return self.stderr

    def obituary(self) -> str:
        """What the test put there."""
        return self.learned

    async def kill(self) -> None:
        """Ends at once."""
        self.is_killed = True
        self.die()

    async def aclose(self) -> None:
        """Ends."""
        with trio.CancelScope(shield=True, deadline=trio.current_time() + self.close_s + 1):
            await trio.sleep(self.close_s)
        self.is_closed = True
        self._in.close()

    # --- the test's side ---------------------------------------------------------------------------------------

    def requests(self, method: str) -> list[Request]:
        """The requests of that method, in order."""
        return [one for one in self.seen if isinstance(one, Request) and one.method == method]

    def answer(self, request: Request, value: object) -> None:
        """Answers a held request."""
        self._in.send_nowait(Result(request.id, raw(value)))

    def refuse(self, request: Request, code: int, message: str) -> None:
        """Answers a held request with an error."""
        self._in.send_nowait(Failure(request.id, code, message))

    def notify(self, method: str, fields: dict[str, object] | None = None) -> None:
        """Sends a notification."""
        self._in.send_nowait(Notification(method, raw(fields) if fields is not None else None))

    def say(self, message: Message) -> None:
        """Sends a message as it is."""
        self._in.send_nowait(message)

    def ask(self, request: Request) -> None:
        """Sends a request of the server's own."""
        self._in.send_nowait(request)

    def die(self, reason: str = "the fake server died") -> None:
        """Is gone from now on."""
        self._error = self._error or Gone(reason)
        self._in.close()

    def _answer(self, request: Request) -> Message | None:
        """What a plain server answers."""
        match request.method:
            case "initialize":
                body: object = {
                    "protocolVersion": "2025-11-25",
                    "capabilities": {"tools": {"listChanged": True}},
                    "serverInfo": {"name": self.name, "version": "1"},
                }
            case "tools/list":
                body = {"tools": self.tools}
            case "tools/call":
                body = {"content": [{"type": "text", "text": f"{self.name} says hello"}]}
            case "resources/subscribe" | "resources/unsubscribe":
                body = {}
            case _:
                return Failure(request.id, -32601, f"no {request.method} here")
        return Result(request.id, raw(body))
