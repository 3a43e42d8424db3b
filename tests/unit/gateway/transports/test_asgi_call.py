"""One request and its answer over ASGI, apart from any server."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from gateway import limits
from gateway.transports.http import ClientLeft, Refused, Reply
from tests.unit.gateway.transports.asgi_client import AsgiRequest


async def test_a_body_arrives_in_pieces() -> None:
    """They are joined."""
    request = AsgiRequest("POST", content_length="6")
    request.body(b"abc", more=True)
    request.body(b"def")
    assert await request.call.body(6) == b"abcdef"


@pytest.mark.refuses("from_clients.MAX_FRAME_BYTES")
async def test_a_declared_length_is_refused_before_anything_is_read() -> None:
    """A gigabyte need not arrive to be too much."""
    request = AsgiRequest("POST", content_length=str(2**30))
    with pytest.raises(Refused, match="longer than 64 MiB") as refused:
        await request.call.body(limits.MAX_FRAME_BYTES)
    assert refused.value.http_status == 413


@pytest.mark.refuses("from_clients.MAX_FRAME_BYTES")
async def test_an_undeclared_length_is_refused_as_it_is_passed() -> None:
    """Chunked bodies do not say how long they are."""
    request = AsgiRequest("POST", transfer_encoding="chunked")
    request.body(b"x" * 6, more=True)
    request.body(b"x" * 6, more=True)
    with pytest.raises(Refused) as refused:
        await request.call.body(10)
    assert refused.value.http_status == 413


@pytest.mark.refuses("from_clients.BODY_STALL_S")
async def test_a_body_that_stops_arriving_is_given_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The limit counts from the last piece."""
    request = AsgiRequest("POST", content_length="6")

    async def drip() -> None:
        for piece in (b"a", b"b"):
            await trio.sleep(limits.BODY_STALL_S - 1)
            request.body(piece, more=True)

    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drip)
        with pytest.raises(Refused, match="stopped arriving") as refused:
            await request.call.body(6)
    assert refused.value.http_status == 408
    assert trio.current_time() - start == pytest.approx(3 * limits.BODY_STALL_S - 2)


async def test_a_client_that_leaves_in_the_middle_of_its_body() -> None:
    """There is nobody to answer."""
    request = AsgiRequest("POST", content_length="6")
    request.body(b"abc", more=True)
    request.leave()
    with pytest.raises(ClientLeft):
        await request.call.body(6)


async def test_an_answer_before_the_body_was_read_takes_the_rest_in() -> None:
    """The kernel would throw the answer away otherwise."""
    request = AsgiRequest("POST", content_length="6")
    request.body(b"abc", more=True)
    request.body(b"def")
    request.leave()
    await request.call.respond(Reply(401, b"no", "text/plain"))
    assert (request.status, request.answer, request.ended) == (401, b"no", True)


async def test_a_body_without_end_holds_a_refusal_for_a_moment_only(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The answer itself goes out at once."""
    request = AsgiRequest("POST", content_length="9" * 12)
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(request.call.respond, Reply(413, b"no", "text/plain"))
        await trio.testing.wait_all_tasks_blocked()
        assert request.answer == b"no"
        assert not request.ended
    assert trio.current_time() - start == limits.LINGER_S
    assert request.ended


async def test_lingering_ends_with_the_client() -> None:
    """Nothing is sent to who has left."""
    request = AsgiRequest("POST", content_length="6")
    request.leave()
    await request.call.respond(Reply(401))
    assert not request.ended
