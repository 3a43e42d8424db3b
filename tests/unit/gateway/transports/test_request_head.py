"""The head of a request, however it was read."""

from __future__ import annotations

from tests.unit.gateway.transports.asgi_client import AsgiRequest


def test_repeated_headers_are_joined_and_names_case_insensitive() -> None:
    """Two tokens are no token."""
    request = AsgiRequest(Authorization="Bearer a")
    request.scope["headers"].append((b"authorization", b"Bearer b"))
    assert request.call.head.headers.get(b"authorization") == b"Bearer a, Bearer b"
    assert request.call.head.text(b"host") is None


def test_the_content_type_is_read_without_its_parameters() -> None:
    """Charsets do not matter: JSON is UTF-8."""
    assert AsgiRequest(content_type="Application/JSON; charset=utf-8").call.head.content_type == (
        "application/json"
    )
    assert AsgiRequest().call.head.content_type == ""


def test_the_query_is_decoded() -> None:
    """Escapes and repeated names."""
    assert AsgiRequest(query=b"a=1&b=%20x&a=2").call.head.query == {"a": "2", "b": " x"}
