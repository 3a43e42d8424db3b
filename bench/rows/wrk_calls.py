"""wrk on a session that is open, and on the floor of HTTP. What rows share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.load import mcp, stint
from bench.load.http import HttpClient, Target, connections
from bench.load.pipes import running
from bench.load.wrk import WrkCaller
from bench.ports import free_port, wait_for_port
from bench.stage import Served, http_session

_ROOT: Final = Path(__file__).parents[2]


def wrk_caller(served: Served) -> WrkCaller:
    """A wrk in a session of its own, whose container is warm."""
    client = http_session(served)
    return WrkCaller(client.target, client.head, stint.echo(client.tool), answer_bytes(client))


def answer_bytes(client: HttpClient) -> int:
    """The length of the response to a call, head included; the answer in it is checked."""
    call = mcp.call_echo(999_999, client.tool)
    with connections(client.target.port, 1) as (connection,):
        response = connection.exchange(client.head, call)
        if not mcp.is_answer(response.body):
            raise ValueError("a call's response holds no answer")
        return connection.received


@contextmanager
def wrk_floor(like: WrkCaller, name: str, *arguments: str) -> Iterator[tuple[WrkCaller, int]]:
    """A program of `bench/floors`, asked for the same, answering as much; and its process id."""
    port = free_port()
    module = f"bench.floors.{name}"
    command = [sys.executable, "-m", module, str(port), str(like.answer_bytes), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    with running(command, environment, piped=False) as process:
        wait_for_port(port, process)
        yield like.elsewhere(Target(port, "/mcp")), process.pid
