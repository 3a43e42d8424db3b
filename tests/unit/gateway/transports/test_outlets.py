"""The outlets of a shared stream."""

from __future__ import annotations

from gateway.transports.backlog import Backlog
from gateway.transports.outlets import Answers, Nowhere, Standing


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
