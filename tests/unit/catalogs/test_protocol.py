"""What all starter servers have in common: the protocol, and how they live and die."""

from __future__ import annotations

import ast
from collections.abc import Callable

import pytest

from tests.unit.catalogs.conftest import SERVERS, Server

NAMES = ["dice", "clock", "notes"]
pytestmark = pytest.mark.parametrize("name", NAMES)
Start = Callable[..., Server]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2099-01-01", "2025-11-25"),
        (None, "2025-11-25"),
        ([], "2025-11-25"),
    ],
)
def test_the_version_is_echoed_where_known(
    name: str, asked: object, answered: str, shared: Start
) -> None:
    """A known revision is agreed to; for any other one the newest is offered."""
    result = shared(name).request("initialize", {"protocolVersion": asked})["result"]
    assert result["protocolVersion"] == answered
    assert result["serverInfo"]["name"] == name
    assert "tools" in result["capabilities"]


def test_ping(name: str, shared: Start) -> None:
    """A ping is answered with nothing."""
    assert shared(name).request("ping")["result"] == {}


def test_tools_describe_themselves(name: str, shared: Start) -> None:
    """Each tool has what a strict client wants to see."""
    tools = shared(name).request("tools/list")["result"]["tools"]
    for tool in tools:
        assert tool["name"]
        assert tool["description"].endswith(".")
        assert tool["inputSchema"]["type"] == "object"
        assert tool["outputSchema"]["type"] == "object"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", -32700),
        (b'{"a": "\xff"}', -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b"1", -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 2}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "no/such"}', -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]}', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call"}', -32602),
        (
            b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "nosuch"}}',
            -32602,
        ),
        (
            b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": ["a"]}}',
            -32602,
        ),
    ],
)
def test_bad_messages_get_errors_and_the_server_goes_on(
    name: str, line: bytes, code: int, shared: Start
) -> None:
    """What cannot be served is answered with its code, and the next request works."""
    server = shared(name)
    server.write(line)
    assert server.receive()["error"]["code"] == code
    assert server.request("ping")["result"] == {}


def test_what_needs_no_answer_gets_none(name: str, shared: Start) -> None:
    """Notifications, answers and empty lines are passed over."""
    server = shared(name)
    server.send("notifications/initialized")
    server.send("notifications/cancelled", {"requestId": 99})
    server.write(b'{"jsonrpc": "2.0", "id": 5, "result": {}}')
    server.write(b"")
    assert server.request("ping")["result"] == {}


def test_the_end_of_stdin_is_the_end(name: str, start: Start) -> None:
    """A server whose client left exits by itself, with success."""
    server = start(name)
    server.request("ping")
    assert server.end() == 0


def test_the_source_stands_alone(name: str) -> None:
    """A server is one file of Python 3.9 and the standard library, as it is copied into an image."""
    source = (SERVERS / name / "server.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 9))
    assert [path.name for path in sorted((SERVERS / name).glob("[!_]*"))] == [
        "Dockerfile",
        "server.py",
    ]
