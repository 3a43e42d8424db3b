"""Addresses: what is shown, and what is the same place."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstreams.addresses import origin, shown, socket_address, within


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://MCP.Example/x", ("https", "mcp.example", 443)),
        ("HTTP://h:8080", ("http", "h", 8080)),
        ("http://[::1]/x", ("http", "::1", 80)),
        ("ftp://h/x", None),
        ("h/x", None),
        ("http://h:99999/", None),
        ("http://[::1", None),
        ("https:///x", None),
    ],
)
def test_origin(url: str, expected: object) -> None:
    """Scheme, host and port, with the port filled in."""
    assert origin(url) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/m?s=1", "https://h/m?s=1"),
        ("m", "https://h/a/m"),
        ("https://h:443/m", "https://h:443/m"),
        ("https://h.example/m", None),
        ("//other/m", None),
        ("http://h/m", None),
        ("https://h:444/m", None),
        ("https://user@other/m", None),
        ("javascript:alert(1)", None),
        ("https://[::1", None),
    ],
)
def test_within(target: str, expected: str | None) -> None:
    """Relative addresses are completed, other origins refused: a downgrade to http is one."""
    assert within("https://h/a/sse", target) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h/mcp?api_key=SECRET#SECRET", "https://h/mcp"),
        ("https://u:SECRET@h:8443/mcp", "https://h:8443/mcp"),
        ("http://[::1]:80/mcp", "http://[::1]:80/mcp"),
        ("http://[::1", "(not a URL)"),
    ],
)
def test_shown_hides_what_may_be_secret(url: str, expected: str) -> None:
    """User part, query and fragment."""
    assert shown(url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("wss://MCP.Example/x?y=1#z", ("mcp.example", 443, "mcp.example", "/x?y=1", True)),
        ("ws://h:8080", ("h", 8080, "h:8080", "/", False)),
        ("ws://[::1]:90/x", ("::1", 90, "[::1]:90", "/x", False)),
        ("https://h/x", None),
        ("wss:///x", None),
        ("ws://h:99999/", None),
        ("ws://u:p@h/", None),
    ],
)
def test_socket_address(url: str, expected: object) -> None:
    """Host and port to connect to, and as the handshake has them."""
    address = socket_address(url)
    assert (address and msgspec.structs.astuple(address)) == expected


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    """Addresses come from people and servers."""
    origin(text)
    socket_address(text)
    shown(text)
    target = within("https://h/a", text)
    assert target is None or origin(target) == ("https", "h", 443)
