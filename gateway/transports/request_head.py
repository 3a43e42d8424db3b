"""The head of one HTTP request: method, path, query, headers. Must not know who read it, nor MCP.

Source: RFC 9110 §5.3 (repeated headers), §12.5.1 (Accept).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from functools import cached_property
from typing import Any, Self
from urllib.parse import parse_qsl

from gateway.transports.http import Accepted, Headers, parse_accept


class RequestHead:
    """What stands before the body.

    Args:
        method: as it was sent.
        path: without the query, decoded.
        query: what follows the question mark, as it was sent.
        headers: by lower-case name; repeated ones joined, so that two tokens or two Hosts match none.
        scheme: "http" or "https".
    """

    def __init__(
        self,
        method: str,
        path: str,
        query: bytes,
        headers: Mapping[bytes, bytes],
        scheme: str,
    ) -> None:
        self.method = method
        self.path = path
        self.scheme = scheme
        self.extra_headers: Headers = ()
        """Headers of whatever answer there will be (CORS)."""
        self.finding: object = None
        """What whoever routes it keeps: on a connection the same head comes again and again."""
        self.headers = headers
        self._query = query

    @classmethod
    def of_scope(cls, scope: MutableMapping[str, Any]) -> Self:
        """That of an ASGI scope."""
        return cls(
            scope.get("method", "GET"),
            scope["path"],
            scope["query_string"],
            _joined(scope["headers"]),
            scope["scheme"],
        )

    def text(self, name: bytes) -> str | None:
        """A header by its lower-case name as text, None where it is absent; bytes that are not ASCII match nothing."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def texts(self) -> Mapping[str, str]:
        """All headers as text, by lower-case name."""
        return {
            name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers.items()
        }

    @cached_property
    def query(self) -> dict[str, str]:
        """The query's parameters; of repeated ones the last."""
        return dict(parse_qsl(self._query.decode("latin-1")))

    @cached_property
    def accepted(self) -> Accepted:
        """What the client wants to read; everything where it does not say."""
        return parse_accept(self.text(b"accept"))

    @cached_property
    def content_type(self) -> str:
        """The media type of the body, without parameters, in lower case."""
        return (self.text(b"content-type") or "").partition(";")[0].strip().lower()


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    joined: dict[bytes, bytes] = {}
    for raw_name, value in headers:
        name = raw_name.lower()
        joined[name] = joined[name] + b", " + value if name in joined else value
    return joined
