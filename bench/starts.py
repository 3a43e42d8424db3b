"""Measures starts: how soon a program that a client has just started gives its first answers."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import msgspec

from bench.engine import Engine
from bench.errors import Broken
from bench.figures import StartFigures
from bench.floors.imports import import_s
from bench.load import mcp
from bench.load.lines import LineClient
from bench.load.pipes import Pipes, running
from bench.plan import Plan
from bench.ports import free_port, wait_for_port
from bench.program import GatewayHome, Program, fill_lists
from bench.rounds import Say

IMPORTS: Final = "imports"
LISTS: Final = "stdio_list"
TITLES: Final[Mapping[str, str]] = {
    IMPORTS: "`python3 -c 'import trio, msgspec'`",
    "stdio_initialize": "**mcpgw, stdio**: answer to `initialize`",
    LISTS: "**mcpgw, stdio**: answer to `tools/list`, all servers cached",
    "http_ready": "**mcpgw, HTTP**: first `200` of `/health`",
}
"""What is measured; the first is the floor."""


class Listing(msgspec.Struct, frozen=True):
    """A home whose lists are cached, and who serves it."""

    program: Program
    home: GatewayHome
    engine: Engine


def measure_starts(listing: Listing, plan: Plan, say: Say) -> tuple[tuple[StartFigures, ...], int]:
    """The starts by round, and how many containers ran meanwhile (none should)."""
    say(f"listing {plan.listed_servers} servers for the first time")
    fill_lists(listing.program, listing.home)
    seen: list[int] = [0]
    acts: dict[str, Callable[[], float]] = {
        IMPORTS: import_s,
        "stdio_initialize": partial(_initialize_s, listing),
        LISTS: partial(_list_s, listing, seen),
        "http_ready": partial(_ready_s, listing),
    }
    for act in acts.values():
        act()
    rounds: dict[str, list[float]] = {name: [] for name in acts}
    for number in range(plan.rounds):
        say(f"starts, round {number + 1} of {plan.rounds}")
        turns = [{name: act() for name, act in acts.items()} for _ in range(plan.starts_per_round)]
        for name, taken in rounds.items():
            taken.append(round(statistics.median(turn[name] for turn in turns), 4))
    figures = tuple(
        StartFigures(subject=name, rounds_s=tuple(taken)) for name, taken in rounds.items()
    )
    return figures, max(seen)


def _initialize_s(listing: Listing) -> float:
    began = time.perf_counter()
    with running(listing.program.run(), listing.program.environment(listing.home)) as process:
        LineClient(Pipes(process)).initialize()
        return time.perf_counter() - began


def _list_s(listing: Listing, containers: list[int]) -> float:
    """Until the tools of all servers are there; `containers` gets the number of those that run at that moment."""
    began = time.perf_counter()
    with running(listing.program.run(), listing.program.environment(listing.home)) as process:
        client = LineClient(Pipes(process))
        client.initialize()
        answer = client.tools()
        taken = time.perf_counter() - began
        if (known := len(mcp.tool_names(answer))) != listing.home.tools:
            raise Broken(f"{known} of {listing.home.tools} tools are in the cached list")
        containers.append(listing.engine.containers(listing.home.label))
        return taken


def _ready_s(listing: Listing) -> float:
    port = free_port()
    command = listing.program.run("--transport", "streaming", "--port", str(port))
    environment = listing.program.environment(listing.home)
    began = time.perf_counter()
    with running(command, environment, piped=False) as process:
        wait_for_port(port, process)
        connection = http.client.HTTPConnection("127.0.0.1", port)
        try:
            while True:
                connection.request("GET", "/health")
                answer = connection.getresponse()
                answer.read()
                if answer.status == http.client.OK:
                    return time.perf_counter() - began
        finally:
            connection.close()
