"""The client for streams of lines."""

from __future__ import annotations

import msgspec
import pytest

from bench.errors import Broken
from bench.load import mcp
from bench.load.lines import LineClient
from bench.load.mcp import TEXT

_NOTE = b'{"jsonrpc":"2.0","method":"notifications/message"}\n'


class _Server:
    """Answers what is sent to it, in pieces of `cut` bytes, a notification before each answer."""

    def __init__(self, cut: int, text: bytes = TEXT, tool: str = "echo") -> None:
        self.calls = 0
        self._cut = cut
        self._text = text.decode()
        self._tool = tool
        self._out = b""

    def send(self, content: bytes) -> None:
        for line in content.splitlines():
            request = msgspec.json.decode(line)
            if "id" in request:
                result = self._result(request["method"])
                answer = {"jsonrpc": "2.0", "id": request["id"], "result": result}
                self._out += _NOTE + msgspec.json.encode(answer) + b"\n"

    def receive(self) -> bytes:
        piece, self._out = self._out[: self._cut], self._out[self._cut :]
        assert piece, "the client waits although everything was answered"
        return piece

    def _result(self, method: str) -> object:
        match method:
            case "tools/call":
                self.calls += 1
                return {"content": [{"type": "text", "text": self._text}]}
            case "tools/list":
                return {"tools": [{"name": "other"}, {"name": self._tool}]}
            case _:
                return {}


@pytest.mark.parametrize("cut", [1, 7, 100_000])
def test_every_answer_is_counted_once(cut: int) -> None:
    """However the bytes come, calls and answers agree, and notifications are no answers."""
    server = _Server(cut)
    client = LineClient(server)
    client.open()
    taken = client.alone(0.0)
    done = client.crowd(8, 0.0)
    assert done == 8
    assert server.calls == 1 + len(taken) + done


def test_the_tool_is_found_behind_a_prefix() -> None:
    """Gateways show the echo tool under names of their own."""
    client = LineClient(_Server(100_000, tool="server__echo"))
    client.open()
    assert b"server__echo" in client.tools()


def test_a_server_without_the_tool_is_broken() -> None:
    """The harness says what it looked for."""
    client = LineClient(_Server(100_000, tool="sum"))
    client.initialize()
    with pytest.raises(Broken, match="echo tool is not among the 2 tools"):
        mcp.echo_tool(client.tools, patience_s=0.0)


def test_a_tool_that_is_listed_late_is_waited_for() -> None:
    """A gateway that has never seen its servers answers with what it knows."""
    answers = [
        msgspec.json.encode({"result": {"tools": tools}}) for tools in ([], [{"name": "echo"}])
    ]
    assert mcp.echo_tool(lambda: answers.pop(0)) == b"echo"


def test_another_answer_than_the_text_is_broken() -> None:
    """A fast error is not a fast call."""
    with pytest.raises(Broken, match="answered with"):
        LineClient(_Server(100_000, text=b"sorry")).open()
