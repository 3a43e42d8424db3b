"""The compiled generators, against tiny echoes."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.errors import Broken
from bench.load import stint
from bench.load.compiled import HttpCaller, LinesCaller
from bench.load.http import HttpClient, Target
from bench.load.pipes import Pipes, running
from bench.load.sse import event_stream
from bench.load.stint import Load, Request
from tests.unit.bench.odd_server import TOKEN, serving

_ECHO = stint.echo(b"echo")


@contextmanager
def _cat(request: Request = _ECHO) -> Iterator[tuple[LinesCaller, int]]:
    """A program that sends back each line; the requests hold what is expected of answers."""
    with running(["cat"], os.environ) as process:
        pipes = Pipes(process)
        yield LinesCaller(pipes.input, pipes.output, request), process.pid


@pytest.mark.parametrize("depth", [1, 32])
def test_calls_over_lines_are_counted_and_timed(depth: int) -> None:
    """Every call has one answer, ids go on over stints, and percentiles are in order."""
    with _cat() as (caller, _):
        first = caller.call(Load(depth=depth, calls=200))
        second = caller.call(Load(depth=depth, seconds=0.02))
    assert first.calls == 200
    assert second.calls >= depth
    assert 0 < second.p50_us <= second.p90_us <= second.p99_us <= second.max_us
    assert second.cpu_s > 0
    assert second.client_cpu_us == pytest.approx(second.cpu_s * 1e6 / second.calls)


def test_an_open_loop_keeps_its_rate() -> None:
    """Calls are due by a schedule, whatever the answers do."""
    with _cat() as (caller, _):
        found = caller.call(Load(depth=8, seconds=0.2, rate=100))
    assert found.calls == 20
    assert found.seconds >= 0.19


@pytest.mark.slow
def test_a_stall_is_paid_by_all_calls_that_it_delayed() -> None:
    """No coordinated omission: a closed loop shows one slow call, an open one all that were due meanwhile."""
    with _cat() as (caller, pid):
        open_loop = _with_a_stall(caller, pid, Load(depth=1000, seconds=1.0, rate=200))
        closed = _with_a_stall(caller, pid, Load(seconds=1.0))
    assert open_loop.max_us >= 300_000
    assert open_loop.p90_us >= 150_000
    assert closed.max_us >= 300_000
    assert closed.p90_us < 150_000


@pytest.mark.slow
def test_what_was_due_before_the_end_is_called_after_it() -> None:
    """A stall at the end of an open loop is measured like any other."""
    with _cat() as (caller, pid):
        found = _with_a_stall(caller, pid, Load(depth=2, seconds=0.5, rate=200))
    assert found.calls == 100
    assert found.late_us >= 90_000


def _with_a_stall(caller: LinesCaller, pid: int, load: Load) -> stint.Stint:
    """The stint, with its server stopped for 0.4 s in the midst of it."""

    def stall() -> None:
        time.sleep(0.2)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.4)
        os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=stall)
    thread.start()
    try:
        return caller.call(load)
    finally:
        thread.join()


@pytest.mark.parametrize("cut", [5, 1000])
def test_frames_of_the_attach_stream_are_taken_off(cut: int) -> None:
    """Answers come in frames that end anywhere, with stderr between."""
    ours, engine = socket.socketpair()

    def answer() -> None:
        while content := engine.recv(65536):
            for piece in (content[:cut], content[cut:]):
                engine.sendall(_frame(2, b'"id":noise\n') + _frame(1, piece))

    thread = threading.Thread(target=answer)
    with ours, engine:
        thread.start()
        caller = LinesCaller(ours.fileno(), ours.fileno(), _ECHO, framed=True)
        assert caller.call(Load(depth=4, calls=50)).calls == 50
        ours.shutdown(socket.SHUT_RDWR)
        thread.join()


def _frame(stream: int, payload: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4) + payload


def test_another_answer_than_the_text_is_broken() -> None:
    """A fast error is not a fast call, and a short result is not a large one."""
    error = Request(b'{"error":1,"id":', b"}", b"something else")
    with _cat(error) as (caller, _), pytest.raises(Broken, match=r"answered with .*error"):
        caller.call(Load(calls=1))
    short = Request(_ECHO.before, _ECHO.after.replace(b"method", b"m"), _ECHO.expected, 100_000)
    with _cat(short) as (caller, _), pytest.raises(Broken, match="answered with"):
        caller.call(Load(calls=1))


def test_the_end_of_the_program_is_named() -> None:
    """Nobody waits for an answer that cannot come."""
    with running(["sh", "-c", 'read -r line; echo "$line"'], os.environ) as process:
        pipes = Pipes(process)
        caller = LinesCaller(pipes.input, pipes.output, _ECHO)
        with pytest.raises(Broken, match=r"closed the connection|cannot send"):
            caller.call(Load(calls=5))


@pytest.mark.parametrize("path", ["/json", "/events"])
@pytest.mark.parametrize("depth", [1, 4])
def test_calls_over_http_are_counted(path: str, depth: int) -> None:
    """Either kind of response is an answer."""
    with serving() as port:
        client = HttpClient(Target(port, path, TOKEN))
        client.open()
        caller = HttpCaller(port, [client.head] * depth, _ECHO)
        assert caller.call(Load(depth=depth, calls=20)).calls == 20
        assert caller.call(Load(depth=depth, seconds=0.05, rate=200)).calls == 10


def test_each_connection_has_a_session_of_its_own() -> None:
    """A head is a connection's; one with a wrong token is refused, and that is named."""
    with serving() as port:
        heads = [
            Target(port, "/json", token).head("POST", "application/json")
            for token in (TOKEN, "other")
        ]
        caller = HttpCaller(port, heads, _ECHO)
        with pytest.raises(Broken, match=r"HTTP/1\.1 401"):
            caller.call(Load(depth=2, calls=4))


def test_answers_that_come_as_events_are_counted() -> None:
    """Responses only accept; the event stream answers, its events cut over chunks."""
    with serving() as port, event_stream(Target(port, "/sse", TOKEN)) as session:
        session.open()
        caller = HttpCaller(port, [session.head] * 4, _ECHO, session.fileno())
        found = caller.call(Load(depth=4, calls=40))
    assert (found.calls, found.events) == (40, 40)
