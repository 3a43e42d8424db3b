"""What no gateway on trio can leave out: the way from a client's socket to a server's pipes and back. Parses nothing.

`python -m bench.floors.relay PORT BYTES SERVER`: each piece that arrives is taken for a request, for which SERVER, a program
that speaks lines, is sent one and the same call; each line of it is answered, with a response of BYTES made once, to
whoever has waited longest. Beside `bench.floors.echo`: what lies between the two is no gateway's fault.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from contextlib import suppress
from typing import Final

import trio

from bench.floors.echo import listen, response
from bench.load.mcp import call_echo, initialize

_CHUNK: Final = 64 * 1024
_TOOL: Final = b"echo"


class Relay:
    """One server behind any number of connections.

    Args:
        requests: the descriptor of the server's input.
        answers: that of its output; does not block.
        content: every response.
    """

    def __init__(self, requests: int, answers: int, content: bytes) -> None:
        self._requests = requests
        self._answers = answers
        self._content = content
        self._waiting: deque[trio.socket.SocketType] = deque()

    async def serve(self, port: int) -> None:
        """Relays on the loopback interface until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._answer)
            await listen(port, self._take)

    async def _take(self, connection: trio.socket.SocketType) -> None:
        """Has the server called for each piece that a client sends."""
        call = call_echo(1, _TOOL) + b"\n"
        try:
            while await connection.recv(_CHUNK):
                self._waiting.append(connection)
                os.write(self._requests, call)
        except OSError:
            return

    async def _answer(self) -> None:
        """Answers as many as the server does."""
        while True:
            await trio.lowlevel.wait_readable(self._answers)
            if not (came := os.read(self._answers, _CHUNK)):
                raise EOFError("the server has ended")
            for _ in range(came.count(b"\n")):
                with suppress(OSError):
                    os.write(self._waiting.popleft().fileno(), self._content)


def main(port: int, content: bytes, server: str) -> None:
    """Starts the server, greets it, and relays until it is ended."""
    with subprocess.Popen([server], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        if process.stdin is None or process.stdout is None:
            raise ValueError("the server was started without pipes")
        requests, answers = process.stdin.fileno(), process.stdout.fileno()
        os.write(requests, initialize(0) + b"\n")
        process.stdout.readline()
        os.set_blocking(answers, False)
        trio.run(Relay(requests, answers, content).serve, port)


if __name__ == "__main__":
    main(int(sys.argv[1]), response(int(sys.argv[2])), sys.argv[3])
