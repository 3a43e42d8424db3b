"""What a probe tells of a server."""

from __future__ import annotations

import json

import msgspec
import pytest

from gateway.jsonrpc.messages import Failure
from gateway.mcp import discover
from gateway.mcp.discover import Discovered

Raw = msgspec.Raw


def test_the_answer_lists_modern_revisions_only() -> None:
    """Clients that know older ones open with `initialize`."""
    result = discover.discover_result(capabilities={"tools": Raw(b"{}")}, instructions="Hi.")
    assert json.loads(bytes(result)) == {
        "supportedVersions": ["2026-07-28"],
        "capabilities": {"tools": {}},
        "instructions": "Hi.",
    }
    assert b"instructions" not in bytes(discover.discover_result(capabilities={}))


def test_a_modern_server_is_read() -> None:
    """Its name stands in `_meta`."""
    found = discover.parse_discover(
        Raw(
            b'{"supportedVersions":["2026-07-28","2025-11-25"],"capabilities":{"tools":{}},"ttlMs":0,'
            b'"instructions":"Do.","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"}}}'
        )
    )
    assert found == Discovered(
        ("2026-07-28", "2025-11-25"), {"tools": Raw(b"{}")}, Raw(b'{"name":"s"}'), "Do."
    )


def test_a_modern_server_may_keep_its_name_to_itself() -> None:
    """It is a courtesy."""
    found = discover.parse_discover(Raw(b'{"supportedVersions":[],"capabilities":{}}'))
    assert found == Discovered((), {}, Raw(b"{}"), "")


@pytest.mark.parametrize(
    "result",
    [
        b"{}",
        b"[]",
        b'"pong"',
        b'{"capabilities":{}}',
        b'{"supportedVersions":["2026-07-28"]}',
        b'{"supportedVersions":"2026-07-28","capabilities":{}}',
        b'{"supportedVersions":[],"capabilities":{},"_meta":3}',
        b'{"x":' + b"[" * 99_999,
    ],
)
def test_any_other_answer_is_no_discovery(result: bytes) -> None:
    """Legacy servers answer unknown methods as they like."""
    assert discover.parse_discover(Raw(result)) is None


@pytest.mark.parametrize(
    ("code", "modern"),
    [(-32020, True), (-32021, True), (-32022, True), (-32601, False), (-32602, False), (0, False)],
)
def test_only_modern_servers_know_certain_errors(code: int, *, modern: bool) -> None:
    """After one of these, `initialize` would be wrong."""
    assert discover.is_modern_error(Failure(1, code, "m")) is modern


@pytest.mark.parametrize(
    ("failure", "offered"),
    [
        (Failure(1, -32022, "m", Raw(b'{"supported":["a","b"],"requested":"c"}')), ("a", "b")),
        (Failure(1, -32022, "m", Raw(b"{}")), ()),
        (Failure(1, -32022, "m", Raw(b'{"supported":3}')), ()),
        (Failure(1, -32022, "m"), ()),
        (Failure(1, -32602, "m", Raw(b'{"supported":["a"]}')), ()),
    ],
)
def test_a_refusal_names_what_is_spoken(failure: Failure, offered: tuple[str, ...]) -> None:
    """Where it is one of revisions."""
    assert discover.supported(failure) == offered


def test_the_newest_that_both_speak_is_chosen() -> None:
    """Legacy ones are for `initialize`."""
    assert discover.choose(["2025-11-25", "2026-07-28"]) == "2026-07-28"
    assert discover.choose(["2025-11-25", "2099-01-01"]) is None
