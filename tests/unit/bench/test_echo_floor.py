"""The floor of HTTP."""

from __future__ import annotations

import pytest
import trio

from bench.floors.echo import response, serve
from bench.load.http_parser import ResponseReader
from bench.load.mcp import is_answer
from bench.ports import free_port


@pytest.mark.parametrize("size", [200, 350, 1000])
def test_the_response_is_as_long_as_the_gateways(size: int) -> None:
    """It holds the text, and its length is the one that is asked for, but for a digit."""
    content = response(size)
    found = ResponseReader().feed(content)
    assert found is not None
    assert is_answer(found.body)
    assert abs(len(content) - size) <= 2


async def test_every_piece_is_answered_until_the_client_leaves() -> None:
    """Nothing is parsed."""
    port, content = free_port(), response(300)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, port, content)
        with trio.fail_after(5):
            stream = await _connect(port)
            async with stream:
                for _ in range(3):
                    await stream.send_all(b"anything")
                    assert await stream.receive_some() == content
        nursery.cancel_scope.cancel()


async def _connect(port: int) -> trio.SocketStream:
    while True:
        try:
            return await trio.open_tcp_stream("127.0.0.1", port)
        except OSError:
            await trio.sleep(0.01)
