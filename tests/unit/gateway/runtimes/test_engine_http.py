"""gateway/runtimes/engine_http.py: one POST, or one upgrade, on a stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from gateway.errors import EngineUnreachable
from gateway.runtimes.engine_http import LongPost, Refused, upgrade


async def answered(answer: bytes, *, cut: int = 7) -> tuple[trio.abc.Stream, trio.abc.Stream]:
    """A stream on which `answer` comes in small pieces, then the end; and the engine's side of it."""
    ours, theirs = trio.testing.memory_stream_pair()
    for start in range(0, len(answer), cut):
        await theirs.send_all(answer[start : start + cut])
    await theirs.send_eof()
    return ours, theirs


async def post(stream: trio.abc.Stream, target: str) -> bytes:
    """The answer, waited for at once."""
    return await LongPost(stream, target).answer()


async def test_upgrade_gives_the_bytes_that_came_along() -> None:
    """Bytes after the head belong to the raw stream."""
    stream, _ = await answered(
        b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nraw", cut=1000
    )
    assert await upgrade(stream, "/v1.41/containers/x/attach") == b"raw"


async def test_upgrade_asks_for_one() -> None:
    """The request is what the engine's documentation asks for."""
    stream, theirs = await answered(b"HTTP/1.1 200 OK\r\n\r\n")
    await upgrade(stream, "/v1.41/x?stream=1")
    request = await theirs.receive_some()
    assert request.startswith(b"POST /v1.41/x?stream=1 HTTP/1.1\r\n")
    assert b"Upgrade: tcp\r\n" in request
    assert b"Connection: Upgrade\r\n" in request


@pytest.mark.parametrize("function", [upgrade, post])
async def test_refusal_has_the_engines_words(
    function: Callable[[trio.abc.Stream, str], Awaitable[bytes]],
) -> None:
    """An error answer is Refused, with status and reason; no waiting for an end that may not come."""
    ours, theirs = trio.testing.memory_stream_pair()
    body = b'{"message":"No such container: x"}'
    head = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(body)
    await theirs.send_all(head + body)
    with pytest.raises(Refused, match="No such container: x") as caught:
        await function(ours, "/x")
    assert caught.value.status == 404


async def test_refusal_in_plain_text() -> None:
    """A proxy's page is a reason, too."""
    stream, _ = await answered(b"HTTP/1.1 503 Unavailable\r\n\r\nbusy\n")
    with pytest.raises(Refused, match="busy"):
        await post(stream, "/x")


async def test_post_reads_to_the_end() -> None:
    """The body is what comes until the engine closes."""
    stream, _ = await answered(b'HTTP/1.0 200 OK\r\nX: y\r\n\r\n{"StatusCode":0}')
    assert await post(stream, "/x") == b'{"StatusCode":0}'


async def test_who_breaks_off_can_go_on() -> None:
    """The engine was asked once, and what came before is kept."""
    ours, theirs = trio.testing.memory_stream_pair()
    asking = LongPost(ours, "/x")
    await theirs.send_all(b"HTTP/1.0 200 OK\r\n\r\n{")
    with trio.move_on_after(0.01) as patience:
        await asking.answer()
    assert patience.cancelled_caught
    await theirs.send_all(b"}")
    await theirs.send_eof()
    assert await asking.answer() == b"{}"
    assert (await theirs.receive_some()).count(b"POST /x") == 1
    await asking.aclose()


async def test_who_is_cancelled_before_asking_asks_later() -> None:
    """The engine would be waited for in vain otherwise."""
    ours, theirs = trio.testing.memory_stream_pair()
    asking = LongPost(ours, "/x")
    with trio.CancelScope() as scope:
        scope.cancel()
        await asking.answer()
    await theirs.send_all(b"HTTP/1.0 200 OK\r\n\r\n{}")
    await theirs.send_eof()
    assert await asking.answer() == b"{}"
    assert (await theirs.receive_some()).startswith(b"POST /x")


async def test_closing_tells_who_waits() -> None:
    """A container that is removed at once may be waited for by somebody who ends it gently."""
    listener, *_ = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener, trio.open_nursery() as nursery:
        stream = await trio.open_tcp_stream(*listener.socket.getsockname())
        asking = LongPost(stream, "/x")

        async def wait() -> None:
            with pytest.raises(EngineUnreachable, match="given up"):
                await asking.answer()

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        await asking.aclose()


@pytest.mark.parametrize("junk", [b"", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 200"])
async def test_what_is_no_engine(junk: bytes) -> None:
    """Junk, silence and half an answer are told apart from an engine."""
    stream, _ = await answered(junk)
    with pytest.raises(EngineUnreachable, match="no container engine"):
        await post(stream, "/x")


async def test_hung_up() -> None:
    """A connection that breaks is the engine's trouble, not a crash."""
    ours, theirs = trio.testing.memory_stream_pair()
    await theirs.aclose()
    with pytest.raises(EngineUnreachable, match="hung up"):
        await post(ours, "/x")
