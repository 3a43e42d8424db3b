"""The gateways of the matrix: one per server and way to reach it, kept for the whole run. Must not know the clients."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

import httpx
import msgspec

from tests.conformance.targets import Upstream, entry, pipe_command, pipe_environ
from tests.e2e.gateways import Network, await_true, message_in, request
from tests.e2e.matrix.cells import REVISIONS, Row, Server, Step
from tests.e2e.matrix.programs import Target
from tests.e2e.places import Place

_FLAGS: Final = ("--allow-unauthenticated", "--names", "bare", "--verbose")
"""WebSocket clients cannot show a token."""
_LISTED_S: Final = 60.0
_META: Final = {
    "io.modelcontextprotocol/protocolVersion": REVISIONS["modern"],
    "io.modelcontextprotocol/clientCapabilities": {},
}
_MODERN_HEADERS: Final = {
    "MCP-Protocol-Version": REVISIONS["modern"],
    "Mcp-Method": "tools/list",
}


class House(msgspec.Struct, frozen=True):
    """A home with one server in it, and a gateway that listens."""

    place: Place
    gateway: Network


class Houses:
    """Opens what is asked for first, and closes all at the end of the block.

    Args:
        folder: for homes, logs and notes.
        unpacked: where the built file lies unpacked.
    """

    def __init__(self, folder: Path, unpacked: Path) -> None:
        self._folder = folder
        self._unpacked = unpacked
        self._open: dict[tuple[Server, Upstream], House] = {}
        self._opening = threading.Lock()
        self._stack = ExitStack()
        self._labels = itertools.count(1)
        self.notes = folder / "notes"

    def __enter__(self) -> Self:
        self.notes.mkdir()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    def target(
        self, row: Row, server: Server, upstream: Upstream, steps: tuple[Step, ...]
    ) -> Target:
        """The gateway in front of that server, as a client of that row reaches it."""
        house = self._house(server, upstream)
        if row.transport == "stdio":
            words = ("gateway", "run", "--transport", "stdio", "--names", "bare")
            return self._piped(house.place.command(*words), house.place.environ, steps)
        return Target(transport=row.transport, url=house.gateway.url, steps=steps, **self._noted())

    def bare(self, server: Server, steps: tuple[Step, ...]) -> Target:
        """The server itself, without a gateway."""
        return self._piped(pipe_command(server), pipe_environ(self.notes), steps)

    def _piped(
        self, command: list[str], environ: Mapping[str, str], steps: tuple[Step, ...]
    ) -> Target:
        return Target(
            transport="stdio",
            command=tuple(command),
            environ=environ,
            steps=steps,
            **self._noted(),
        )

    def _noted(self) -> dict[str, str]:
        return {"notes": str(self.notes), "label": str(next(self._labels))}

    def _house(self, server: Server, upstream: Upstream) -> House:
        key = (server, upstream)
        with self._opening:
            if key not in self._open:
                self._open[key] = self._opened(server, upstream)
            return self._open[key]

    def _opened(self, server: Server, upstream: Upstream) -> House:
        folder = self._folder / f"{server}-{upstream}"
        place = Place(folder, self._unpacked)
        fields = self._stack.enter_context(entry(server, upstream, folder, self.notes))
        place.write({"fixture": fields})
        # Such a gateway makes no token, and `Network` wants to read one.
        place.write_text("token", "unused\n")
        gateway = self._stack.enter_context(place.network(*_FLAGS))
        _await_lists(gateway)
        return House(place, gateway)


def _await_lists(gateway: Network) -> None:
    """As at a person's second start: at a first one a client may see what is known so far, which is nothing."""
    with gateway.session() as client:
        asked = request(1, "tools/list", {})
        await_true(lambda: _tools(client, asked, {}), "the list for older clients", _LISTED_S)
    with gateway.web() as client:
        asked = request(1, "tools/list", {"_meta": _META})
        await_true(
            lambda: _tools(client, asked, _MODERN_HEADERS), "the list for modern ones", _LISTED_S
        )


def _tools(client: httpx.Client, asked: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
    return message_in(client.post("/mcp", json=asked, headers=headers))["result"]["tools"]
