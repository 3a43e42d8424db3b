"""One request and its answer, apart from any server."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from gateway import limits
from gateway.transports.http import ClientLeft, Refused, Reply, parse_accept
from tests.unit.gateway.transports.asgi_client import AsgiRequest


@pytest.mark.parametrize(
    ("header", "json", "events"),
    [
        (None, True, True),
        ("", True, True),
        ("*/*", True, True),
        ("application/json, text/event-stream", True, True),
        ("Application/JSON", True, False),
        ("application/*", True, False),
        ("text/event-stream;q=0.5", False, True),
        ("text/*", False, True),
        ("application/json;q=0, text/event-stream", False, True),
        ("*/*;q=0.0", False, False),
        ("text/html", False, False),
        ("image/png , text/event-stream ; charset=utf-8", False, True),
    ],
)
def test_accept(header: str | None, json: bool, events: bool) -> None:  # noqa: FBT001 -- a table
    """What may be answered to each."""
    accepted = parse_accept(header)
    assert (accepted.json, accepted.events) == (json, events)


@given(st.text())
def test_any_accept_header_can_be_read(header: str) -> None:
    """Nonsense accepts nothing; it never fails."""
    parse_accept(header)


async def test_a_body_arrives_in_pieces() -> None:
    """They are joined."""
    request = AsgiRequest("POST", content_length="6")
    request.body(b"abc", more=True)
    request.body(b"def")
    assert await request.call.body(6) == b"abcdef"


async def test_a_declared_length_is_refused_before_anything_is_read() -> None:
    """A gigabyte need not arrive to be too much."""
    request = AsgiRequest("POST", content_length=str(2**30))
    with pytest.raises(Refused, match="longer than 64 MiB") as refused:
        await request.call.body(limits.MAX_FRAME_BYTES)
    assert refused.value.http_status == 413


async def test_an_undeclared_length_is_refused_as_it_is_passed() -> None:
    """Chunked bodies do not say how long they are."""
    request = AsgiRequest("POST", transfer_encoding="chunked")
    request.body(b"x" * 6, more=True)
    request.body(b"x" * 6, more=True)
    with pytest.raises(Refused) as refused:
        await request.call.body(10)
    assert refused.value.http_status == 413


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


def test_repeated_headers_are_joined_and_names_case_insensitive() -> None:
    """Two tokens are no token."""
    request = AsgiRequest(Authorization="Bearer a")
    request.scope["headers"].append((b"authorization", b"Bearer b"))
    assert request.call.header(b"authorization") == b"Bearer a, Bearer b"
    assert request.call.text(b"host") is None


def test_the_content_type_is_read_without_its_parameters() -> None:
    """Charsets do not matter: JSON is UTF-8."""
    assert AsgiRequest(content_type="Application/JSON; charset=utf-8").call.content_type() == (
        "application/json"
    )
    assert AsgiRequest().call.content_type() == ""


def test_the_query_is_decoded() -> None:
    """Escapes and repeated names."""
    assert AsgiRequest(query=b"a=1&b=%20x&a=2").call.query() == {"a": "2", "b": " x"}
