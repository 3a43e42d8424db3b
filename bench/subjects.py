"""Who is measured: the floor, the gateway on its three transports, and its peers. One table line each."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Literal

import msgspec

from bench.engine import Engine
from bench.floors.attach import attached_client
from bench.load.client import Client
from bench.load.http import HttpClient, Target
from bench.load.lines import LineClient
from bench.load.pipes import Pipes, running
from bench.load.sse import event_stream
from bench.peers import fastmcp_command, mcp_proxy_command
from bench.ports import free_port, wait_for_port
from bench.program import GatewayHome, Program

FLOOR: Final = "attach"
"""The subject that all others are compared with."""


class Arena(msgspec.Struct, frozen=True):
    """What subjects need of a run; `stack` closes what they open."""

    engine: Engine
    program: Program
    home: GatewayHome
    folder: Path
    stack: ExitStack


class Opened(msgspec.Struct, frozen=True):
    """A subject that is ready: its session is open and its container warm."""

    client: Client
    pid: int | None
    """The root of the processes whose CPU is counted."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Something that calls can be made to."""

    title: str
    kind: Literal["floor", "gateway", "peer"]
    open: Callable[[Arena], Opened]


def _attach(arena: Arena) -> Opened:
    client, _ = arena.stack.enter_context(attached_client(arena.engine))
    client.open()
    return Opened(client, None)


def _docker_run(arena: Arena) -> Opened:
    return _over_pipes(arena, arena.engine.run_command, os.environ)


def _gateway_stdio(arena: Arena) -> Opened:
    program = arena.program
    return _over_pipes(arena, program.run(), program.environment(arena.home))


def _gateway_http(arena: Arena) -> Opened:
    return _over_http(arena, *_serve_gateway(arena, "/mcp"))


def _gateway_sse(arena: Arena) -> Opened:
    return _over_sse(arena, *_serve_gateway(arena, "/sse"))


def _mcp_proxy_http(arena: Arena) -> Opened:
    return _over_http(arena, *_serve_mcp_proxy(arena, "/mcp"))


def _mcp_proxy_sse(arena: Arena) -> Opened:
    return _over_sse(arena, *_serve_mcp_proxy(arena, "/sse"))


def _fastmcp_stdio(arena: Arena) -> Opened:
    command = fastmcp_command(arena.engine.run_command, arena.folder, "--transport", "stdio")
    return _over_pipes(arena, command, os.environ)


def _fastmcp_http(arena: Arena) -> Opened:
    port = free_port()
    options = ("--transport", "http", "--host", "127.0.0.1", "--port", str(port))
    command = fastmcp_command(arena.engine.run_command, arena.folder, *options)
    pid = _serve(arena, command, os.environ, port)
    return _over_http(arena, Target(port, "/mcp"), pid)


def _serve_gateway(arena: Arena, path: str) -> tuple[Target, int]:
    """The gateway on a port, with the bearer token that it always wants."""
    port, program = free_port(), arena.program
    command = program.run("--transport", "streaming", "--port", str(port))
    pid = _serve(arena, command, program.environment(arena.home), port)
    return Target(port, path, program.token), pid


def _serve_mcp_proxy(arena: Arena, path: str) -> tuple[Target, int]:
    port = free_port()
    command = mcp_proxy_command(arena.engine.run_command, port)
    return Target(port, path), _serve(arena, command, os.environ, port)


def _serve(arena: Arena, command: Sequence[str], environment: Mapping[str, str], port: int) -> int:
    """Starts a network server; its process id once it accepts connections."""
    process = arena.stack.enter_context(running(command, environment, piped=False))
    wait_for_port(port, process)
    return process.pid


def _over_pipes(arena: Arena, command: Sequence[str], environment: Mapping[str, str]) -> Opened:
    process = arena.stack.enter_context(running(command, environment))
    client = LineClient(Pipes(process))
    client.open()
    return Opened(client, process.pid)


def _over_http(_arena: Arena, target: Target, pid: int) -> Opened:
    client = HttpClient(target)
    client.open()
    return Opened(client, pid)


def _over_sse(arena: Arena, target: Target, pid: int) -> Opened:
    client = arena.stack.enter_context(event_stream(target))
    client.open()
    return Opened(client, pid)


SUBJECTS: Final[Mapping[str, Subject]] = {
    FLOOR: Subject(title="raw docker attach", kind="floor", open=_attach),
    "docker_run": Subject(title="`docker run -i` pipe", kind="floor", open=_docker_run),
    "mcpgw_stdio": Subject(title="**mcpgw, stdio**", kind="gateway", open=_gateway_stdio),
    "mcpgw_http": Subject(title="**mcpgw, Streamable HTTP**", kind="gateway", open=_gateway_http),
    "mcpgw_sse": Subject(title="**mcpgw, SSE**", kind="gateway", open=_gateway_sse),
    "mcp_proxy_http": Subject(
        title="mcp-proxy, Streamable HTTP", kind="peer", open=_mcp_proxy_http
    ),
    "mcp_proxy_sse": Subject(title="mcp-proxy, SSE", kind="peer", open=_mcp_proxy_sse),
    "fastmcp_stdio": Subject(title="fastmcp proxy, stdio", kind="peer", open=_fastmcp_stdio),
    "fastmcp_http": Subject(
        title="fastmcp proxy, Streamable HTTP", kind="peer", open=_fastmcp_http
    ),
}
