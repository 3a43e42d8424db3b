"""The relay that parses nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import trio

from bench.floors.echo import response
from bench.load.pipes import running
from bench.ports import free_port, wait_for_port
from tests.images.echo import echo_binary

_ROOT = Path(__file__).parents[3]


@pytest.mark.slow
async def test_each_piece_is_one_call_of_the_server() -> None:
    """Whoever waits longest is answered first; who leaves before its answer costs the others nothing."""
    port, content = free_port(), response(300)
    arguments = (str(port), "300", str(echo_binary()))
    command = [sys.executable, "-m", "bench.floors.relay", *arguments]
    with running(command, {"PYTHONPATH": str(_ROOT)}, piped=False) as process:
        wait_for_port(port, process)
        with trio.fail_after(10):
            for _ in range(3):
                leaver = await trio.open_tcp_stream("127.0.0.1", port)
                await leaver.send_all(b"anything")
                await leaver.aclose()
                async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                    for _ in range(3):
                        await stream.send_all(b"anything")
                        assert await stream.receive_some() == content
