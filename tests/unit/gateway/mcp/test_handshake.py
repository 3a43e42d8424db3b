"""What is taken for an `initialize`, and what is written."""

import json

import msgspec
import pytest

from gateway.errors import InvalidParams, ProtocolFault
from gateway.limits import MAX_HELLO_BYTES, MAX_INSTRUCTIONS_CHARS
from gateway.mcp.handshake import (
    ClientHello,
    ServerHello,
    initialize_params,
    initialize_result,
    parse_initialize,
    parse_initialize_result,
)

Raw = msgspec.Raw


def test_a_client_is_read() -> None:
    """Capabilities stay as they came, known or not."""
    hello = parse_initialize(
        Raw(
            b'{"protocolVersion":"2025-06-18","capabilities":{"roots":{"listChanged":true},"x":1},'
            b'"clientInfo":{"name":"c","version":"1"},"future":[]}'
        )
    )
    assert hello == ClientHello(
        "2025-06-18",
        {"roots": Raw(b'{"listChanged":true}'), "x": Raw(b"1")},
        Raw(b'{"name":"c","version":"1"}'),
    )


def test_a_client_that_says_nothing_of_itself_is_read() -> None:
    """People try things by hand."""
    hello = parse_initialize(Raw(b'{"protocolVersion":"1"}'))
    assert hello == ClientHello("1", {}, Raw(b"{}"))


@pytest.mark.parametrize(
    ("info", "name"), [(b'{"name":"c"}', "c"), (b"{}", ""), (b'{"name":3}', "")]
)
def test_a_client_has_a_name_for_logs(info: bytes, name: str) -> None:
    """Or none."""
    assert ClientHello("1", {}, Raw(info)).client_name == name


@pytest.mark.parametrize(
    "params",
    [
        None,
        b"{}",
        b"[]",
        b'{"protocolVersion":1}',
        b'{"protocolVersion":"1","capabilities":[]}',
        b'{"protocolVersion":"1","capabilities":null}',
        b'{"protocolVersion":"1","clientInfo":"me"}',
        b'{"protocolVersion":"1","x":' + b"[" * 99_999,
    ],
)
def test_a_client_that_says_nonsense_is_refused(params: bytes | None) -> None:
    """-32602 that names what is wrong."""
    with pytest.raises(InvalidParams, match="initialize"):
        parse_initialize(None if params is None else Raw(params))


def test_the_answer_to_a_client_is_written() -> None:
    """Instructions only where there are some."""
    result = initialize_result(
        "2025-11-25",
        capabilities={"tools": Raw(b'{"listChanged":true}')},
        server_info=Raw(b'{"name":"mcpgw","version":"0"}'),
    )
    assert json.loads(bytes(result)) == {
        "protocolVersion": "2025-11-25",
        "capabilities": {"tools": {"listChanged": True}},
        "serverInfo": {"name": "mcpgw", "version": "0"},
    }
    result = initialize_result(
        "2025-11-25", capabilities={}, server_info=Raw(b"{}"), instructions="Hi."
    )
    assert json.loads(bytes(result))["instructions"] == "Hi."


def test_what_we_write_to_a_server_reads_as_a_client() -> None:
    """Both halves of this module agree."""
    params = initialize_params(
        "2025-11-25", capabilities={"roots": Raw(b"{}")}, client_info=Raw(b'{"name":"g"}')
    )
    assert parse_initialize(params) == ClientHello(
        "2025-11-25", {"roots": Raw(b"{}")}, Raw(b'{"name":"g"}')
    )


def test_a_server_is_read() -> None:
    """All that it says of itself."""
    hello = parse_initialize_result(
        Raw(
            b'{"protocolVersion":"2025-03-26","capabilities":{"tools":{}},'
            b'"serverInfo":{"name":"s"},"instructions":"Do."}'
        )
    )
    assert hello == ServerHello("2025-03-26", {"tools": Raw(b"{}")}, Raw(b'{"name":"s"}'), "Do.")


def test_a_server_that_leaves_out_what_it_could_is_read() -> None:
    """Nulls and absences where nothing depends on them."""
    hello = parse_initialize_result(
        Raw(b'{"protocolVersion":"2024-11-05","serverInfo":null,"instructions":null}')
    )
    assert hello == ServerHello("2024-11-05", {}, Raw(b"{}"), "")


@pytest.mark.parametrize(
    "result",
    [
        b"null",
        b"{}",
        b'{"protocolVersion":"2025-11-25","capabilities":3}',
        b'{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":"x"}',
        b'{"protocolVersion":"2025-11-25","x":' + b"[" * 99_999,
    ],
)
def test_a_server_that_says_nonsense_is_at_fault(result: bytes) -> None:
    """Its call fails, nothing else does."""
    with pytest.raises(ProtocolFault, match="nonsense"):
        parse_initialize_result(Raw(result))


@pytest.mark.parametrize("version", ["2026-07-28", "2099-01-01", ""])
def test_a_revision_not_spoken_here_is_named(version: str) -> None:
    """Together with those that are."""
    with pytest.raises(ProtocolFault) as caught:
        parse_initialize_result(
            Raw(b'{"protocolVersion":"%b","capabilities":{}}' % version.encode())
        )
    assert repr(version) in str(caught.value)
    assert "2025-11-25" in str(caught.value)


@pytest.mark.refuses("from_clients.MAX_HELLO_BYTES", "from_servers.MAX_HELLO_BYTES")
def test_a_handshake_of_megabytes_is_refused() -> None:
    """On either side; it could be millions of capabilities."""
    long = b'{"protocolVersion":"2025-11-25","capabilities":{"x":"%b"}}' % (b"x" * MAX_HELLO_BYTES)
    with pytest.raises(InvalidParams, match="longer than"):
        parse_initialize(Raw(long))
    with pytest.raises(ProtocolFault, match="more than"):
        parse_initialize_result(Raw(long))


def test_what_goes_into_every_log_line_or_cache_is_cut() -> None:
    """A client's name stands in the line of each call; nobody is shown longer instructions."""
    hello = parse_initialize(
        Raw(b'{"protocolVersion":"1","clientInfo":{"name":"%b"}}' % (b"n" * 5000))
    )
    assert len(hello.client_name) == 100
    answer = parse_initialize_result(
        Raw(b'{"protocolVersion":"2025-11-25","instructions":"%b"}' % (b"i" * 1_000_000))
    )
    assert len(answer.instructions) == MAX_INSTRUCTIONS_CHARS + 1
