"""What is tried, as tables: clients, servers, and what a client cannot do. Must not know how it is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal

import msgspec

from tests.conformance.targets import Fixture, Upstream

Era = Literal["legacy", "modern"]
Transport = Literal["stdio", "sse", "streaming", "websocket"]
Step = Literal["list", "call", "progress", "cancel", "elicit", "subscribe"]
Server = Fixture

REVISIONS: Final[Mapping[Era, str]] = {"legacy": "2025-11-25", "modern": "2026-07-28"}
TRANSPORTS: Final[Mapping[Transport, str]] = {
    "stdio": "stdio",
    "sse": "SSE",
    "streaming": "Streamable HTTP",
    "websocket": "WebSocket",
}
STEPS: Final[Mapping[Step, str]] = {
    "list": "all lists are what the server gives to a client that is connected to it",
    "call": "so is a result with text, an image and a resource",
    "progress": "each report of a call arrives, in order",
    "cancel": "the server is seen to stop a call that the client gives up, and the session goes on",
    "elicit": "the client is asked while its call runs, and the server gets the answer",
    "subscribe": "the update of a resource that the client watches arrives",
}
SERVERS: Final[Mapping[Server, str]] = {
    "legacy_only": "2025-11-25 only",
    "modern_only": "2026-07-28 only",
    "everything": "both",
}


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A published client.

    `package` is what is installed, `library` the name by which its program knows it. `transports` are those of each era
    that it speaks. `lacks` says of a step why it cannot be done with this client; of a transport, why it has none.
    `old_only` says of a transport why it has no modern era. `may_miss_late_reports`: it forgets a call before it has seen
    to notifications that came in one go with the answer.
    """

    title: str
    package: str
    library: str
    transports: Mapping[Era, tuple[Transport, ...]]
    lacks: Mapping[Step | Transport, str] = {}
    old_only: Mapping[Transport, str] = {}
    may_miss_late_reports: bool = False

    @property
    def steps(self) -> tuple[Step, ...]:
        """What it can do."""
        return tuple(step for step in STEPS if step not in self.lacks)


_NO_WEBSOCKET: Final = "has no WebSocket"
_PIPE_SSE_HTTP: Final[tuple[Transport, ...]] = ("stdio", "sse", "streaming")
_ALL: Final[tuple[Transport, ...]] = ("stdio", "sse", "streaming", "websocket")
_BOTH_ERAS: Final[Mapping[Era, tuple[Transport, ...]]] = {
    "legacy": _PIPE_SSE_HTTP,
    "modern": _PIPE_SSE_HTTP,
}

CLIENTS: Final[Mapping[str, Client]] = {
    "mcp-1": Client(
        title="PyPI `mcp` 1.30.0",
        package="mcp[ws]==1.30.0",
        library="mcp-1",
        transports={"legacy": _ALL},
    ),
    "mcp-2": Client(
        title="PyPI `mcp` 2.3.0",
        package="mcp==2.3.0",
        library="mcp-2",
        transports=_BOTH_ERAS,
        lacks={"websocket": _NO_WEBSOCKET},
    ),
    "fastmcp": Client(
        title="PyPI `fastmcp` 4.1.2",
        package="fastmcp==4.1.2",
        library="fastmcp",
        transports={"legacy": _PIPE_SSE_HTTP, "modern": ("stdio", "streaming")},
        lacks={"websocket": _NO_WEBSOCKET},
        old_only={"sse": "speaks the handshake there, whatever it is asked to"},
    ),
    "sdk-1": Client(
        title="npm `@modelcontextprotocol/sdk` 1.32.2",
        package="@modelcontextprotocol/sdk@1.32.2",
        library="sdk-1",
        may_miss_late_reports=True,
        transports={"legacy": _ALL},
    ),
    "client-2": Client(
        title="npm `@modelcontextprotocol/client` 2.4.0",
        package="@modelcontextprotocol/client@2.4.0",
        library="client-2",
        may_miss_late_reports=True,
        transports=_BOTH_ERAS,
        lacks={"websocket": _NO_WEBSOCKET},
    ),
    "inspector": Client(
        title="npm `@modelcontextprotocol/inspector` 2.12.0, `--cli`",
        package="@modelcontextprotocol/inspector@2.12.0",
        library="inspector",
        transports=_BOTH_ERAS,
        lacks={
            "progress": "shows none",
            "cancel": "cannot: it ends with the answer to its one request",
            "elicit": "has nobody to ask: it answers `cancel` or does not declare it",
            "subscribe": "has no method for it",
            "websocket": _NO_WEBSOCKET,
        },
    ),
}


class Row(msgspec.Struct, frozen=True):
    """One program of a client over one transport in one era; it meets all servers."""

    client: str
    era: Era
    transport: Transport

    def __str__(self) -> str:
        return f"{self.client}-{self.era}-{self.transport}"


def all_rows() -> Iterator[Row]:
    """Every client in every era over every transport that it has; the servers are processes."""
    for name, client in CLIENTS.items():
        for era, transports in client.transports.items():
            for transport in transports:
                yield Row(name, era, transport)


SLICE: Final = (
    Row("mcp-1", "legacy", "websocket"),
    Row("mcp-2", "legacy", "stdio"),
    Row("mcp-2", "modern", "streaming"),
    Row("fastmcp", "modern", "stdio"),
    Row("sdk-1", "legacy", "sse"),
    Row("client-2", "legacy", "streaming"),
    Row("client-2", "modern", "streaming"),
)
"""Those that meet servers reached in other ways as well: each transport and each way to be of an era once."""


def rows_of(upstream: Upstream) -> tuple[Row, ...]:
    """Who meets servers that are reached so."""
    return tuple(all_rows()) if upstream == "process" else SLICE
