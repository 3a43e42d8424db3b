"""What rows measure with: the engine, the gateway as a program, and what it offers. Must not know any row."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import msgspec

from bench.engine import Engine
from bench.errors import Broken, NotYet
from bench.floors.attach import attached_client
from bench.load import stint
from bench.load.compiled import LinesCaller
from bench.load.http import HttpClient, Target
from bench.load.lines import LineClient
from bench.load.pipes import Pipes, running
from bench.load.sse import SseClient, event_stream
from bench.ports import free_port, wait_for_port
from bench.program import GatewayHome, Program

Link = Literal["fifo", "attach"]

_LINK: Final = "--link"


class Served(msgspec.Struct, frozen=True):
    """A gateway that serves the network."""

    pid: int
    port: int
    token: str

    def target(self, path: str = "/mcp") -> Target:
        """Where to call."""
        return Target(self.port, path, self.token)


class Stage(msgspec.Struct, frozen=True):
    """One run's means. What is opened here leaves no process, container or home behind."""

    engine: Engine
    program: Program
    offered: frozenset[str]
    """The flags of `gateway run` that this build has."""

    def require(self, *flags: str) -> None:
        """Returns if this build has these flags.

        Raises:
            NotYet: it lacks one.
        """
        for flag in flags:
            if flag not in self.offered:
                raise NotYet(f"this build has no `{flag}`")

    @property
    def links(self) -> tuple[Link, ...]:
        """The ways to a container that this build can be told to take; the first is the one it would rather take."""
        return ("fifo", "attach") if _LINK in self.offered else ("attach",)

    def link_options(self, link: Link) -> tuple[str, ...]:
        """The flags for a way to the containers. A build without the choice has attach only."""
        return (_LINK, link) if _LINK in self.offered else ()

    @contextmanager
    def home(self, servers: int = 1, pool: str = "") -> Iterator[GatewayHome]:
        """A home folder; at the end no container of it is left.

        Args:
            servers: how many entries there are.
            pool: settings of each entry's `pool:`, as YAML between braces.

        Raises:
            Broken: the gateway has left containers behind; they are removed now.
        """
        with tempfile.TemporaryDirectory(prefix="mcpgw-bench-") as folder:
            home = GatewayHome(Path(folder) / "home", self.engine.image, servers, pool)
            left = 0
            try:
                yield home
            finally:
                left = self.engine.remove(home.label) if home.was_used else 0
            if left:
                raise Broken(f"the gateway has left {left} containers behind (now removed)")

    @contextmanager
    def served(self, home: GatewayHome, *options: str) -> Iterator[Served]:
        """The gateway on a port, with the bearer token that it always wants."""
        port, program = free_port(), self.program
        command = program.run("--transport", "streaming", "--port", str(port), *options)
        with running(command, program.environment(home), piped=False) as process:
            wait_for_port(port, process)
            yield Served(process.pid, port, program.token)


class Session(msgspec.Struct, frozen=True):
    """A session over lines whose container is warm."""

    caller: LinesCaller
    pid: int
    """The root of the processes whose CPU and memory are counted; 0 where there is none of ours."""
    tool: bytes
    """The echo tool's name."""


@contextmanager
def attach_floor(stage: Stage) -> Iterator[Session]:
    """The floor of all calls: a container, and nothing between."""
    with attached_client(stage.engine) as (client, fd):
        client.open()
        caller = LinesCaller(fd, fd, stint.echo(client.tool), framed=True)
        yield Session(caller, 0, client.tool)


@contextmanager
def stdio_session(stage: Stage, *options: str, program: Program | None = None) -> Iterator[Session]:
    """The gateway as a desktop client starts it, with one server that is warm."""
    program = program or stage.program
    with (
        stage.home() as home,
        running(program.run(*options), program.environment(home)) as process,
    ):
        pipes = Pipes(process)
        client = LineClient(pipes)
        client.open()
        caller = LinesCaller(pipes.input, pipes.output, stint.echo(client.tool))
        yield Session(caller, process.pid, client.tool)


def http_session(served: Served) -> HttpClient:
    """An open session over Streamable HTTP whose container is warm."""
    client = HttpClient(served.target())
    client.open()
    return client


@contextmanager
def sse_session(served: Served) -> Iterator[SseClient]:
    """An open session over SSE whose container is warm."""
    with event_stream(served.target("/sse")) as client:
        client.open()
        yield client


def offered_flags(help_text: str, flags: Sequence[str]) -> frozenset[str]:
    """Which of the flags a help text explains."""
    words = set(help_text.replace(",", " ").split())
    return frozenset(flag for flag in flags if flag in words)
