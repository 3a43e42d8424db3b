"""What no client should send: answered as the protocol says, and the connection goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.e2e.gateways import call_over, hello, message_in, request
from tests.e2e.places import Place

pytestmark = pytest.mark.slow

Entry = Callable[..., dict[str, Any]]

PARSE, INVALID, NO_METHOD, PARAMS = -32700, -32600, -32601, -32602

LINES: dict[str, tuple[bytes, int]] = {
    "no JSON": (b"hello", PARSE),
    "no object": (b"42", INVALID),
    "a batch": (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', INVALID),
    "an empty batch": (b"[]", INVALID),
    "no jsonrpc": (b'{"id":1,"method":"ping"}', INVALID),
    "the wrong jsonrpc": (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', INVALID),
    "a null id": (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', INVALID),
    "a list as method": (b'{"jsonrpc":"2.0","id":1,"method":["ping"]}', INVALID),
    "an unknown method": (b'{"jsonrpc":"2.0","id":1,"method":"ping/pong"}', NO_METHOD),
    "params as text": (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":"x"}', INVALID),
    "params as a list": (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["echo"]}',
        PARAMS,
    ),
    "no tool named": (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}', PARAMS),
    "an unknown tool": (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nope"}}',
        PARAMS,
    ),
    "a wrong cursor": (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"nope"}}',
        PARAMS,
    ),
    "deep nesting": (
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":'
        + b"[" * 100_000
        + b"]" * 100_000
        + b"}}",
        PARSE,
    ),
    "invalid UTF-8": (b'{"jsonrpc":"2.0","id":1,"method":"p\xff\xfeing"}', PARSE),
    "half of a surrogate pair": (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\\ud800"}}',
        PARSE,
    ),
    "two objects": (
        b'{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"ping"}',
        PARSE,
    ),
    "half an object": (b'{"jsonrpc":"2.0","id":1,', PARSE),
    "NaN": (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":NaN}}', PARSE),
}


def test_bad_lines_on_stdio(place: Place, echo: Entry) -> None:
    """Each gets one error with the code that the protocol names; then the next message is served."""
    place.write({"one": echo()})
    with place.stdio() as client:
        client.initialize()
        codes = {}
        for name, (line, _) in LINES.items():
            client.send_bytes(line + b"\n")
            codes[name] = client.answers(1)[0]["error"]["code"]
        assert codes == {name: code for name, (_, code) in LINES.items()}
        for ignored in (b"\n", b"   \r\n", b"\t\n"):
            client.send_bytes(ignored)
        assert client.request("ping")["result"] == {}
        assert client.call("echo", text="still here") == "still here"
        assert client.owes_nothing()


def test_a_line_without_end_does_not_fill_the_memory(place: Place, echo: Entry) -> None:
    """A gigabyte is refused once, and costs no more than the longest message that is allowed."""
    place.write({"one": echo()})
    with place.stdio() as client:
        client.initialize()
        chunk = b"x" * 2**20
        client.send_bytes(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"')
        for _ in range(1024):
            client.send_bytes(chunk)
        client.send_bytes(b'"}}\n')
        assert client.answers(1)[0]["error"]["code"] in {PARSE, INVALID}
        assert client.request("ping")["result"] == {}
        assert peak_memory_bytes(client.process.pid) < 512 * 2**20


def peak_memory_bytes(pid: int) -> int:
    """The most memory that a process has ever had."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:  # noqa: PTH123 - no path of a file system
        line = next(line for line in file if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def test_before_initialize_nothing_is_served(place: Place, echo: Entry) -> None:
    """But ping is, and initialize still works afterwards."""
    place.write({"one": echo()})
    with place.stdio() as client:
        assert "error" in client.request("tools/list")
        assert client.request("ping")["result"] == {}
        assert client.initialize()["serverInfo"]["name"]
        assert "error" in client.request("initialize", hello())


def test_what_a_call_holds_arrives_as_it_was(place: Place, echo: Entry) -> None:
    """Odd but legal: duplicate keys, escapes, large numbers as ids, a carriage return at the end of a line."""
    place.write({"one": echo()})
    with place.stdio() as client:
        client.initialize()
        line = (
            b'{"id":"\\u00e4 \\"1\\"","jsonrpc":"2.0","method":"tools/call","params":'
            b'{"name":"add","name":"echo","arguments":{"text":"\\u2028\\n\\ud83d\\udc0d \\u0041"}}}\r\n'
        )
        client.send_bytes(line)
        answer = client.answer_to('ä "1"')
        assert answer["result"]["content"][0]["text"] == "\u2028\n\U0001f40d A"
        client.send_bytes(b'{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}\n')
        assert client.answer_to(9007199254740993)["result"] == {}


def test_bad_bodies_over_http(place: Place, echo: Entry) -> None:
    """Each gets an HTTP status of the 400s, or an answer, with the same code; then the session goes on."""
    place.write({"one": echo()})
    with place.network() as gateway, gateway.session() as client:
        codes = {}
        for name, (body, _) in LINES.items():
            response = client.post("/mcp", content=body)
            assert response.status_code < 500, name
            codes[name] = message_in(response)["error"]["code"]
        assert codes == {name: code for name, (_, code) in LINES.items()}
        assert call_over(client, "echo", text="still here") == "still here"


def test_newlines_in_a_body_make_no_further_message(place: Place, echo: Entry) -> None:
    """A body may be laid out over lines; the server still reads one message, and it is the one that was sent."""
    place.write({"one": echo()})
    injected = '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"crash"}}'
    with place.network() as gateway, gateway.session() as client:
        message = request(3, "tools/call", {"name": "echo", "arguments": {"text": injected}})
        response = client.post("/mcp", content=json.dumps(message, indent=2).replace("\n", "\r\n"))
        assert message_in(response)["result"]["content"][0]["text"] == injected
        smuggled = (
            b'{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"echo","arguments":\n'
        )
        response = client.post("/mcp", content=smuggled + injected.encode() + b"\n}}")
        assert message_in(response)["id"] == 3
        assert call_over(client, "echo", text="alive") == "alive"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": ""}, 401),
        ({"Origin": "https://evil.example"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Accept": "text/html"}, 406),
        ({"Content-Type": "text/plain"}, 415),
        ({"Mcp-Session-Id": "unknown"}, 404),
        ({"MCP-Protocol-Version": "1999-01-01"}, 400),
    ],
)
def test_requests_that_are_refused_by_their_head(
    place: Place, headers: dict[str, str], status: int
) -> None:
    """With the status that the protocol names, and a sentence."""
    place.write({})
    with place.network() as gateway, gateway.session() as client:
        response = client.post("/mcp", json=request(1, "ping", {}), headers=headers)
        assert response.status_code == status
        assert response.text.strip()
        assert client.post("/mcp", json=request(2, "ping", {})).status_code == httpx.codes.OK
