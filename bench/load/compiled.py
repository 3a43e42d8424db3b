"""Runs the compiled generators on descriptors that are open here. Must not know whom they measure."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Final

import msgspec

from bench.errors import Broken
from bench.load import mcp
from bench.load.http import connections
from bench.load.native import generator
from bench.load.stint import Load, Request, Stint

_FIRST_ID: Final = 1_000_000
"""Above all numbers of the clients that open sessions: an id is used once in a session."""


class Numbers:
    """The ids of a session, over all stints."""

    def __init__(self) -> None:
        self._next = _FIRST_ID

    def take(self, count: int) -> int:
        """The first of `count` ids that were not used yet."""
        first, self._next = self._next, self._next + count
        return first

    @property
    def next(self) -> int:
        """The id that comes next; `take` what was used."""
        return self._next


class LinesCaller:
    """Calls over a stream of lines: a program's pipes, or the engine's attach stream (`framed`)."""

    def __init__(self, to: int, source: int, request: Request, *, framed: bool = False) -> None:
        self._to = to
        self._source = source
        self._request = request
        self._framed = framed
        self._numbers = Numbers()

    def call(self, load: Load) -> Stint:
        """See `Caller`."""
        arguments = (f"to={self._to}", f"from={self._source}", f"framed={self._framed:d}")
        stint = run(
            "lines",
            (*arguments, *_options(load, self._request, self._numbers)),
            fds=(self._to, self._source),
        )
        self._numbers.take(stint.calls)
        return stint

    def asking(self, request: Request) -> LinesCaller:
        """The same stream with another request. Only one of the two may be used from now on."""
        other = LinesCaller(self._to, self._source, request, framed=self._framed)
        other._numbers = self._numbers
        return other


class HttpCaller:
    """Calls over keep-alive connections, one in flight on each.

    They are opened anew for each stint: servers close those that were idle since the last one.

    Args:
        port: of the server, on the loopback interface.
        heads: of each connection's requests: sessions may be shared among them or not.
        request: what is called.
        stream: the open event stream on which answers come, if they come there.
    """

    def __init__(
        self, port: int, heads: Sequence[bytes], request: Request, stream: int | None = None
    ) -> None:
        self._port = port
        self._heads = heads
        self._request = request
        self._stream = stream
        self._numbers = Numbers()

    def call(self, load: Load) -> Stint:
        """See `Caller`."""
        stint = self._run(load)
        self._numbers.take(stint.calls)
        return stint

    def skip(self, count: int) -> None:
        """Leaves so many ids to another caller of the same session."""
        self._numbers.take(count)

    def _run(self, load: Load) -> Stint:
        # Each connection is accepted before the stint: a server may accept few at a time while it is busy.
        options = [*_options(load, self._request, self._numbers), b"greeting=" + mcp.CANCELLED]
        if self._stream is not None:
            options.append(f"stream={self._stream}")
        with connections(self._port, len(self._heads)) as opened:
            fds = [connection.socket.fileno() for connection in opened]
            pairs = zip(fds, self._heads, strict=True)
            content = b"".join(b"%d %d\n%b\n" % (fd, len(head), head) for fd, head in pairs)
            kept = fds if self._stream is None else [*fds, self._stream]
            return run("http", options, fds=kept, content=content)


def run(
    name: str, options: Sequence[str | bytes], *, fds: Sequence[int], content: bytes = b""
) -> Stint:
    """One stint of a compiled generator.

    Raises:
        Broken: it says that an answer is missing or wrong.
    """
    process = subprocess.Popen(
        [str(generator(name)), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=fds,
    )
    with process:
        try:
            said, complaint = process.communicate(content)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise Broken(complaint.decode(errors="replace").strip() or f"{name} fell over")
    return msgspec.json.decode(said, type=Stint)


def _options(load: Load, request: Request, numbers: Numbers) -> list[str | bytes]:
    return [
        f"depth={load.depth}",
        f"seconds={load.seconds}",
        f"calls={load.calls}",
        f"rate={load.rate}",
        f"first_id={numbers.next}",
        b"prefix=" + request.before,
        b"suffix=" + request.after,
        b"expected=" + request.expected,
        f"at_least={request.at_least}",
    ]
