"""The outlets of a shared stream, and of a POST."""

from __future__ import annotations

import pytest

from gateway import limits
from gateway.transports.backlog import Backlog
from gateway.transports.exchange import Exchange
from gateway.transports.outlets import Answers, Nowhere, Standing

EVENT = b'event: message\ndata: {"n":%d}\n\n'


def lines(frame: bytes) -> bytes:
    """A framing."""
    return frame + b"\n"


async def test_answers_do_not_end_the_stream() -> None:
    """Messages, an answer, and a request without one."""
    backlog = Backlog()
    answers = Answers(backlog, lines)
    answers.send(b"before")
    answers.finish(b"answer")
    answers.finish(None)
    assert not backlog.closed
    assert await backlog.pull() == b"before\nanswer\n"


async def test_the_standing_outlet_ends_the_stream() -> None:
    """Its end is the session's."""
    backlog = Backlog()
    standing = Standing(backlog, lines)
    standing.send(b"news")
    standing.finish(b"last words")
    assert backlog.closed
    assert await backlog.pull() == b"news\nlast words\n"
    silent = Backlog()
    Standing(silent, lines).finish(None)
    assert await silent.pull() == b""


def test_nowhere_swallows() -> None:
    """For messages that are owed nothing."""
    Nowhere().send(b"x")
    Nowhere().finish(b"x")


async def test_an_answer_that_comes_first_is_plain() -> None:
    """One JSON body, no events."""
    exchange = Exchange(accepts_json=True, accepts_events=True)
    exchange.finish(b'{"n":1}')
    assert exchange.mode == "plain"
    assert exchange.answer == b'{"n":1}'
    assert await exchange.backlog.pull() == b""


async def test_a_message_before_the_answer_makes_a_stream() -> None:
    """The answer is its last event."""
    exchange = Exchange(accepts_json=True, accepts_events=True)
    exchange.send(b'{"n":1}')
    exchange.finish(b'{"n":2}')
    assert exchange.mode == "stream"
    assert await exchange.backlog.pull() == EVENT % 1 + EVENT % 2
    assert await exchange.backlog.pull() == b""


async def test_a_client_without_events_gets_only_the_answer() -> None:
    """What comes before it has nowhere to go."""
    exchange = Exchange(accepts_json=True, accepts_events=False)
    exchange.send(b'{"n":1}')
    assert not exchange.stream()
    exchange.finish(b'{"n":2}')
    assert (exchange.mode, exchange.answer) == ("plain", b'{"n":2}')


async def test_a_client_without_json_gets_the_answer_as_event() -> None:
    """Also when nothing comes before it."""
    exchange = Exchange(accepts_json=False, accepts_events=True)
    exchange.finish(b'{"n":1}')
    assert exchange.mode == "stream"
    assert await exchange.backlog.pull() == EVENT % 1


async def test_a_cancelled_request_ends_without_an_answer() -> None:
    """In either mode."""
    plain = Exchange(accepts_json=True, accepts_events=True)
    plain.finish(None)
    assert (plain.mode, plain.answer) == ("plain", None)
    stream = Exchange(accepts_json=False, accepts_events=True)
    stream.finish(None)
    assert await stream.backlog.pull() == b""


def test_only_the_first_answer_counts() -> None:
    """A second one would be an answer to nobody."""
    exchange = Exchange(accepts_json=True, accepts_events=True)
    exchange.finish(b"1")
    exchange.finish(b"2")
    exchange.send(b"3")
    assert exchange.answer == b"1"
    assert repr(exchange) == "<Exchange plain, <Backlog closed, 0 frames, 0 bytes>>"


def test_what_may_be_skipped_is_what_no_answer_hangs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that is far behind loses notifications; servers' requests and answers reach it."""
    monkeypatch.setattr(limits, "MAX_OUTBOUND_NOTES_BYTES", 5)
    backlog = Backlog()
    outlet = Answers(backlog, lambda frame: frame + b"\n")
    outlet.send(b"note 1", skippable=True)
    outlet.send(b"note 2", skippable=True)
    outlet.send(b"request")
    outlet.finish(b"answer")
    assert repr(backlog) == "<Backlog open, 3 frames, 22 bytes>"
