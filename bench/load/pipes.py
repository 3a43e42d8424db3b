"""A program under test whose stdin and stdout are held here. Must not know what it speaks."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from bench.errors import Broken
from bench.load.client import ANSWER_S

_CHUNK: Final = 256 * 1024
_END_S: Final = 10.0
"""How long a program may take to end by itself."""


class Pipes:
    """The wire to a program."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("the program was started without pipes")
        self.input = process.stdin.fileno()
        """The descriptor of the program's input, for a generator that takes over."""
        self.output = process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self.output, select.POLLIN)

    def send(self, content: bytes) -> None:
        """See `Wire`."""
        view = memoryview(content)
        while view:
            view = view[os.write(self.input, view) :]

    def receive(self) -> bytes:
        """See `Wire`."""
        if not self._poll.poll(ANSWER_S * 1000):
            raise Broken(f"no answer within {ANSWER_S:.0f} s")
        chunk = os.read(self.output, _CHUNK)
        if not chunk:
            raise Broken("the program has ended")
        return chunk


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], *, piped: bool = True
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a program in a session of its own; at the end its stdin is closed, or it gets SIGTERM, and it is waited for."""
    stream = subprocess.PIPE if piped else subprocess.DEVNULL
    process = subprocess.Popen(
        command,
        stdin=stream,
        stdout=stream,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a program as its client would; kills it where that does not help."""
    if process.stdin is not None:
        process.stdin.close()
    else:
        process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()
