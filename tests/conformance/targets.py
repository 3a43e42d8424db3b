"""Where the suite's requests go: the fixture itself, or the gateway in front of it. Must not know what is asked there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from tests.clients import cache_folder, client_venv
from tests.conformance.image import SERVERS_FOLDER, fixture_image
from tests.e2e.places import Place
from tests.engine import client as engine_client

Fixture = Literal["everything", "legacy_only", "modern_only"]
Upstream = Literal["process", "container", "http"]
UPSTREAMS: Final[tuple[Upstream, ...]] = ("process", "container", "http")
"""How the gateway reaches the fixture."""

SDK: Final = "mcp==2.3.0"
"""What the fixture is made with, and the client that talks to the gateway."""
HERE: Final = Path(__file__).parent

_NOTES: Final = "FIXTURE_NOTES"
_HARMLESS: Final = "test_simple_text"
_MODERN: Final = "2026-07-28"

_LISTENS_S: Final = 30.0
_SPARES: Final = 2
"""The suite opens a session for each scenario, and the fixture takes a second to start."""
_LISTS_S: Final = 60.0
_ENDS_S: Final = 10.0
_POLL_S: Final = 0.05


def open_place(folder: Path) -> Place:
    """A home for a gateway under test."""
    return Place(folder, cache_folder() / "unpacked")


@contextmanager
def through_gateway(place: Place) -> Iterator[str]:
    """The URL of a gateway that serves all of the home's servers, and nothing asks for a token."""
    flags = ("--allow-unauthenticated", "--names", "bare", "--verbose")
    # Such a gateway makes no token, and `Network` wants to read one.
    place.write_text("token", "unused\n")
    with place.network(*flags) as gateway:
        yield f"{gateway.url.replace('127.0.0.1', 'localhost')}/mcp"


@contextmanager
def fronted(fixture: Fixture, upstream: Upstream, folder: Path) -> Iterator[str]:
    """The URL of a gateway in front of a fixture whose lists it knows, as at a person's second start.

    At a first one it shows after some seconds what it knows, on a busy machine nothing; then scenarios pass empty-handed.
    """
    place = open_place(folder)
    with entry(fixture, upstream, folder) as fields:
        spares = {} if upstream == "http" else {"pool": {"warm": _SPARES}}
        place.write({"fixture": {**fields, **spares}})
        place.run("tools", "ls", deadline_s=_LISTS_S)
        with through_gateway(place) as url:
            for capabilities in ({}, {"elicitation": {}}):
                _wake(url, capabilities)
            yield url


def _wake(url: str, capabilities: Mapping[str, Any]) -> None:
    """Has the fixture started for modern clients that can do that, as after a person's first call.

    The suite gives a call half a second, and a scenario may begin with one: less than Python takes to start. Its calls
    come from clients of two kinds, and an older server is told of its client when it is started.
    """
    meta = {
        "io.modelcontextprotocol/protocolVersion": _MODERN,
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    }
    asked = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": _HARMLESS, "arguments": {}, "_meta": meta},
    }
    request = urllib.request.Request(
        url,
        json.dumps(asked).encode(),
        {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": _MODERN,
            "Mcp-Method": "tools/call",
            "Mcp-Name": _HARMLESS,
        },
    )
    with urllib.request.urlopen(request, timeout=_LISTS_S) as answer:
        answer.read()


@contextmanager
def entry(
    fixture: Fixture, upstream: Upstream, folder: Path, notes: Path | None = None
) -> Iterator[Mapping[str, Any]]:
    """The catalog entry with which a gateway reaches the fixture.

    Args:
        fixture: which of them.
        upstream: how.
        folder: for its log, where it is a server of its own.
        notes: where it notes what it was told to stop; nowhere by default.
    """
    match upstream:
        case "process":
            yield {"process": {"command": pipe_command(fixture), "env": pipe_environ(notes)}}
        case "container":
            with engine_client() as engine:
                image = fixture_image(engine)
            command = ["python3", "-m", f"{SERVERS_FOLDER}.{fixture}", "stdio"]
            form = {"image": image, "command": command, "disableNetwork": True}
            yield {**form, **(_mounted(notes) if notes else {})}
        case "http":
            with served(fixture, folder, notes) as url:
                yield {"remote": {"url": url, "transport_type": "streamable-http"}}


def pipe_command(fixture: Fixture) -> list[str]:
    """The words that start the fixture on a pipe."""
    return [str(client_venv(SDK)), "-m", f"fixture.{fixture}", "stdio"]


def pipe_environ(notes: Path | None = None) -> dict[str, str]:
    """What it needs in its environment for that."""
    return {"PYTHONPATH": str(HERE), **({_NOTES: str(notes)} if notes else {})}


def _mounted(notes: Path) -> dict[str, Any]:
    """The folder at the same path inside."""
    return {
        "volumes": [f"{notes}:{notes}"],
        "env": [{"name": _NOTES, "value": str(notes)}],
    }


@contextmanager
def served(
    fixture: Fixture, folder: Path, notes: Path | None = None, *, port: int = 0
) -> Iterator[str]:
    """The URL of the fixture over Streamable HTTP, on a free port where none is named."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or _free_port()
    with (folder / "fixture.log").open("ab") as log:
        process = subprocess.Popen(
            [str(client_venv(SDK)), "-m", f"fixture.{fixture}", "http", str(port)],
            cwd=HERE,
            env={**os.environ, **pipe_environ(notes)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        _await_listener(process, port)
        yield f"http://localhost:{port}/mcp"
    finally:
        process.terminate()
        try:
            process.wait(_ENDS_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_listener(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _LISTENS_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), _LISTENS_S).close()
        except OSError:
            assert process.poll() is None, "the fixture ended; fixture.log says why"
            assert time.monotonic() < deadline, "the fixture does not listen"
            time.sleep(_POLL_S)
        else:
            return
