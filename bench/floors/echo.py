"""The floor of all calls per second over HTTP: a trio socket that answers whatever it reads, and parses nothing.

`python -m bench.floors.echo PORT BYTES`: each piece that arrives is taken for a request and answered with a response of
BYTES, made once. Nothing on trio that reads and writes a socket per call can be faster.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import trio

from bench.load.mcp import TEXT

_CHUNK: Final = 64 * 1024
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


def response(size: int) -> bytes:
    """A response with the echoed text in it, of that size as nearly as its head allows."""
    room = max(len(TEXT), size - len(_HEAD % size))
    return _HEAD % room + TEXT.ljust(room)


async def serve(port: int, content: bytes) -> None:
    """Answers on the loopback interface until cancelled."""
    await listen(port, partial(_answer, content=content))


async def listen(port: int, take: Callable[[trio.socket.SocketType], Awaitable[object]]) -> None:
    """Hands each connection to a task of its own, on the loopback interface, until cancelled."""
    with trio.socket.socket() as listener:
        listener.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_REUSEADDR, 1)
        await listener.bind(("127.0.0.1", port))
        listener.listen(1024)
        async with trio.open_nursery() as nursery:
            while True:
                connection, _ = await listener.accept()
                connection.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
                nursery.start_soon(take, connection)


async def _answer(connection: trio.socket.SocketType, content: bytes) -> None:
    with connection:
        try:
            while await connection.recv(_CHUNK):
                await connection.send(content)
        except OSError:
            return


if __name__ == "__main__":
    trio.run(serve, int(sys.argv[1]), response(int(sys.argv[2])))
