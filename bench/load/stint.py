"""One stint of calls: what is asked of a generator, and what it reports. Must not know which generator it is."""

from __future__ import annotations

from typing import Protocol

import msgspec

from bench.load import mcp


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """How a generator calls. Closed loop: a call follows an answer. Open loop: calls are due by a schedule, come what may."""

    depth: int = 1
    """Calls in flight; in an open loop, the most of them."""
    seconds: float = 0.0
    calls: int = 0
    """If not 0, the stint ends after so many calls instead."""
    rate: float = 0.0
    """Calls per second of an open loop; 0 is a closed one."""


class Request(msgspec.Struct, frozen=True):
    """A request as `before`, a number, `after`; and what is in every answer to it."""

    before: bytes
    after: bytes
    expected: bytes
    at_least: int = 0
    """Bytes that an answer has at least."""


class Stint(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured. Latencies count from the moment a call was due, so a stall is paid by all that it delayed."""

    calls: int
    seconds: float
    first_us: float
    p50_us: float
    p90_us: float
    p99_us: float
    max_us: float
    late_us: float = 0.0
    """How far behind its schedule an open loop was at worst: it had all connections busy."""
    cpu_s: float
    """The generator's own."""
    events: int = 0
    """Events of an SSE stream, where there is one."""

    @property
    def per_s(self) -> float:
        """Calls per second."""
        return self.calls / self.seconds

    @property
    def client_cpu_us(self) -> float:
        """The generator's CPU per call."""
        return self.cpu_s * 1e6 / self.calls


class Caller(Protocol):
    """An open session with a warm container, that calls go to."""

    def call(self, load: Load) -> Stint:
        """One stint.

        Raises:
            Broken: an answer is missing or wrong.
        """


def echo(tool: bytes) -> Request:
    """The call that everybody is measured with: it sends 64 bytes back."""
    return _request(mcp.call_echo(0, tool), mcp.TEXT)


def flood(tool: bytes, size: int) -> Request:
    """A call whose answer has so many bytes."""
    return _request(mcp.call_tool(0, tool, b'{"bytes":%d}' % size), b"x" * 64, size)


def count(tool: bytes, to: int) -> Request:
    """A call that sends so many notifications before its answer; one of them at a time, for they share a token."""
    arguments = b'{"to":%d},"_meta":{"progressToken":"bench"}' % to
    return _request(mcp.call_tool(0, tool, arguments), b"counted")


def _request(call: bytes, expected: bytes, at_least: int = 0) -> Request:
    """The call with a gap where its id is."""
    before, mark, after = call.partition(b'"id":0')
    return Request(before + mark[:-1], after, expected, at_least)
