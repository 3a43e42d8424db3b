"""The head of one HTTP request: path, query, headers. Must not know ASGI beyond its scope, nor MCP.

Source: ASGI 3.0, HTTP and WebSocket connection scopes; RFC 9110 §5.3 (repeated headers).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl


class RequestHead:
    """What stands before the body."""

    def __init__(self, scope: MutableMapping[str, Any]) -> None:
        self.path: str = scope["path"]
        self.scheme: str = scope["scheme"]
        self._query: bytes = scope["query_string"]
        self._headers = _joined(scope["headers"])

    def header(self, name: bytes) -> bytes | None:
        """The value of a header by its lower-case name, None where it is absent."""
        return self._headers.get(name)

    def text(self, name: bytes) -> str | None:
        """The same as text; bytes that are not ASCII keep their code point and so match nothing."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    def texts(self) -> Mapping[str, str]:
        """All headers as text, by lower-case name."""
        return {
            name.decode("latin-1"): value.decode("latin-1") for name, value in self._headers.items()
        }

    def query(self) -> dict[str, str]:
        """The query's parameters; of repeated ones the last."""
        return dict(parse_qsl(self._query.decode("latin-1")))


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by name. A repeated one is joined, so that two tokens or two Hosts match none."""
    joined: dict[bytes, bytes] = {}
    for raw_name, value in headers:
        name = raw_name.lower()
        joined[name] = joined[name] + b", " + value if name in joined else value
    return joined
