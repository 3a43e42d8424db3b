"""Row 10: how soon a program that a client has just started gives its first answers.

The zipapp has been extracted by an earlier start, and the lists of all servers are known from one.
"""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from bench.errors import Broken
from bench.floors.imports import import_s
from bench.load import mcp
from bench.load.lines import LineClient
from bench.load.pipes import Pipes, running
from bench.plan import Plan
from bench.ports import free_port, wait_for_port
from bench.program import GatewayHome, fill_lists
from bench.rows.row import Figures, Play, Row, Target, in_turn
from bench.stage import Stage

_MS: Final = 1e3


@contextmanager
def _open(stage: Stage, plan: Plan) -> Iterator[Play]:
    with stage.home(plan.listed_servers) as home:
        fill_lists(stage.program, home)
        acts: dict[str, Callable[[], Figures]] = {
            "import": lambda: {"ms": import_s() * _MS},
            "initialize": lambda: {"ms": _initialize_s(stage, home) * _MS},
            "list": partial(_list, stage, home),
            "ready": lambda: {"ms": _ready_s(stage, home) * _MS},
        }
        for act in acts.values():
            act()

        def play(number: int) -> Figures:
            return in_turn(
                number,
                {name: partial(_typical, act, plan.starts_per_round) for name, act in acts.items()},
            )

        yield play


def _typical(act: Callable[[], Figures], times: int) -> Figures:
    """The median of some starts."""
    taken = [act() for _ in range(times)]
    return {name: round(statistics.median(one[name] for one in taken), 2) for name in taken[0]}


def _initialize_s(stage: Stage, home: GatewayHome) -> float:
    began = time.perf_counter()
    with running(stage.program.run(), stage.program.environment(home)) as process:
        LineClient(Pipes(process)).initialize()
        return time.perf_counter() - began


def _list(stage: Stage, home: GatewayHome) -> Figures:
    """Until the tools of all servers are there, and how many containers run at that moment."""
    began = time.perf_counter()
    with running(stage.program.run(), stage.program.environment(home)) as process:
        client = LineClient(Pipes(process))
        client.initialize()
        answer = client.tools()
        taken = time.perf_counter() - began
        if (known := len(mcp.tool_names(answer))) != home.tools:
            raise Broken(f"{known} of {home.tools} tools are in the cached list")
        return {"ms": taken * _MS, "containers": stage.engine.containers(home.label)}


def _ready_s(stage: Stage, home: GatewayHome) -> float:
    """Until `/health` says 200."""
    port = free_port()
    command = stage.program.run("--transport", "streaming", "--port", str(port))
    began = time.perf_counter()
    with running(command, stage.program.environment(home), piped=False) as process:
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


def _target(promise: str, of: str, at_most: float) -> Target:
    return Target(promise=promise, of=of, against="import_ms", at_most=at_most)


ROW: Final = Row(
    number=10,
    title="start of the extracted pyz, against `python3 -c 'import trio, msgspec'`",
    targets=(
        _target("stdio `initialize`", "initialize_ms", 1.6),
        _target("`tools/list` of 50 servers", "list_ms", 2.0),
        _target("HTTP ready", "ready_ms", 3.0),
        Target(
            promise="containers that run while lists are served",
            of="list_containers",
            at_most=0.0,
        ),
    ),
    open=_open,
)
